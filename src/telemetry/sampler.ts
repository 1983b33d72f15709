import { AlwaysOffSampler, AlwaysOnSampler, ParentBasedSampler, TraceIdRatioBasedSampler, type Sampler } from '@opentelemetry/sdk-trace'

/**
 * What the variables `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` ask for.
 *
 * @throws Error when there is no such sampler
 */
export function samplerOf(name = 'parentbased_always_on', argument = '1'): Sampler {
  if (name.startsWith('parentbased_')) return new ParentBasedSampler({ root: samplerOf(name.slice('parentbased_'.length), argument) })
  if (name === 'always_on') return new AlwaysOnSampler()
  if (name === 'always_off') return new AlwaysOffSampler()
  const ratio = Number(argument)
  if (name !== 'traceidratio') throw new Error(`OTEL_TRACES_SAMPLER: '${name}' is none of always_on, always_off, traceidratio and the same after parentbased_`)
  if (!(ratio >= 0 && ratio <= 1)) throw new Error(`OTEL_TRACES_SAMPLER_ARG: '${argument}' is not a number from 0 to 1`)
  return new TraceIdRatioBasedSampler(ratio)
}
