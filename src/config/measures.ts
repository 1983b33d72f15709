import { textOf, type Kind } from './kinds.ts'

/** Timers of JavaScript count milliseconds in 31 bits; what is longer would end at once. */
const LONGEST = 24 * 86_400_000
const HUNDRED_YEARS = 100 * 365 * 86_400_000
const UNITS = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const
const PART = /(\d+(?:\.\d+)?|\.\d+)(ns|us|µs|ms|s|m|h)/g

interface Bounds {
  /** What a bare number counts. */
  readonly bare: 's' | 'ns'
  /** In milliseconds. */
  readonly least: number
  readonly most: number
}

/** In milliseconds; written like `500ms`, `30s`, `1h30m`, and a bare number is seconds. */
export const duration: Kind<number> = durationWithin({ bare: 's', least: 0.001, most: LONGEST })

/**
 * A duration of Distribution's: there, a bare number is nanoseconds. What comes out below a millisecond was not meant
 * so, and is refused.
 */
export const goDuration: Kind<number> = durationWithin({ bare: 'ns', least: 1, most: LONGEST })

/** One that may be none at all. */
export const goDurationOrNone: Kind<number> = durationWithin({ bare: 'ns', least: 0, most: LONGEST })

/** How old something is: no timer counts it. */
export const age: Kind<number> = durationWithin({ bare: 'ns', least: 1, most: HUNDRED_YEARS })

function durationWithin({ bare, least, most }: Bounds): Kind<number> {
  const read = (value: string): number => {
    const milliseconds = /^\d+(?:\.\d+)?$/.test(value) ? Number(value) * UNITS[bare] : sumOf(value)
    if (Number.isNaN(milliseconds) || (milliseconds === 0 && least > 0)) throw new Error(`'${value}' is not a duration like 30s, 500ms or 5m`)
    if (milliseconds < least && milliseconds !== 0) throw new Error(`'${value}' is too short${bare === 'ns' ? ' (a bare number is nanoseconds)' : ''}: is ${Number.parseFloat(value)}s meant?`)
    if (milliseconds > most) throw new Error(`'${value}' is too long: ${most / 86_400_000} days (${most / 3_600_000}h) is the most`)
    return milliseconds
  }
  const accept = (value: unknown): number => {
    if (typeof value !== 'number' || !(value > 0 || (value === 0 && least === 0))) throw new Error(`is ${String(value)}: a number of milliseconds above 0 is wanted`)
    if (value > most) throw new Error(`${value} ms are too many: ${most / 86_400_000} days (${most}) is the most`)
    return value
  }
  return { placeholder: '<duration>', many: false, read: (raw) => read(textOf(raw)), accept, write: durationText }
}

function sumOf(value: string): number {
  if (value === '' || value.replaceAll(PART, '') !== '') return Number.NaN
  return [...value.matchAll(PART)].reduce((sum, [, number, unit]) => sum + Number(number) * UNITS[unit as keyof typeof UNITS], 0)
}

const SIZES: Readonly<Record<string, number>> = {
  '': 1, b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40,
}

/** In bytes; written like `10MB` or `4GiB`, and a bare number is bytes. */
export function size(least: number): Kind<number> {
  const check = (bytes: number, written: string): number => {
    if (bytes < least) throw new Error(`'${written}' is too small: ${least} bytes is the least`)
    if (!Number.isSafeInteger(bytes)) throw new Error(`'${written}' is too large`)
    return bytes
  }
  const read = (value: string): number => {
    const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmgt]?i?b)?$/i.exec(value) ?? []
    const factor = SIZES[unit.toLowerCase()]
    if (number === undefined || factor === undefined) throw new Error(`'${value}' is not a size like 10MB or 4GiB`)
    return check(Math.round(Number(number) * factor), value)
  }
  const accept = (value: unknown): number => {
    if (typeof value !== 'number' || !(value >= 0)) throw new Error(`is ${String(value)}: a number of bytes is wanted`)
    return check(value, String(value))
  }
  return { placeholder: '<size>', many: false, read: (raw) => read(textOf(raw)), accept, write: sizeText }
}

function sizeText(bytes: number): string | number {
  const unit = (['TiB', 'GiB', 'MiB', 'KiB'] as const).find((name) => bytes > 0 && bytes % (SIZES[name.toLowerCase()] ?? 1) === 0)
  return unit === undefined ? bytes : `${bytes / (SIZES[unit.toLowerCase()] ?? 1)}${unit}`
}

/** The shortest way to write so many milliseconds. */
function durationText(milliseconds: number): string {
  for (const unit of ['h', 'm', 's'] as const) {
    if (milliseconds >= UNITS[unit] && milliseconds % UNITS[unit] === 0) return `${milliseconds / UNITS[unit]}${unit}`
  }
  return milliseconds === 0 ? '0s' : `${milliseconds}ms`
}
