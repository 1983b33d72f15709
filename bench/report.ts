import { cpus, release, totalmem } from 'node:os'
import type { Case, Goal, Metric } from './cases/case.ts'
import type { Peer, PeerId } from './peers.ts'

/** One run of a metric: a number for each peer that took part. */
export type Round = ReadonlyMap<PeerId, number>

export interface Measured {
  readonly case: Case
  /** By metric, the rounds in their order. */
  readonly rounds: ReadonlyMap<string, readonly Round[]>
}

export interface VersionedPeer {
  readonly peer: Peer
  readonly version: string
}

const OURS: readonly PeerId[] = ['disco', 'disco-2', 'disco-guarded', 'disco-kubo', 'disco-s3']

export function machine(fileSystem: string): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown CPU'
  const memory = Math.round(totalmem() / 2 ** 30)
  return `${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores of ${model}, ${memory} GiB, ${fileSystem}, Linux ${release()}, Node ${process.version}`
}

/** A Markdown table: medians, and below each of ours the medians of the rounds' ratios. */
export function table(measured: readonly Measured[], peers: readonly VersionedPeer[]): string {
  const head = ['', 'Unit', ...peers.map(({ peer, version }) => `${peer.title} ${version}`), 'Goal', 'Reached']
  const rows = measured.flatMap((one) => Object.entries(one.case.metrics).map(([key, metric]) => {
    const rounds = one.rounds.get(key) ?? []
    return [
      metric.title,
      metric.unit,
      ...peers.map(({ peer }) => cell(metric, rounds, peer.id)),
      metric.goals.map(goalText).join(', '),
      OURS.filter((id) => rounds.some((round) => round.has(id))).map((id) => verdict(metric, rounds, id)).join(' / '),
    ]
  }))
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}

function cell(metric: Metric, rounds: readonly Round[], peer: PeerId): string {
  const values = numbers(rounds, (round) => round.get(peer))
  return values.length === 0 ? '–' : median(values).toFixed(metric.digits ?? 0)
}

function verdict(metric: Metric, rounds: readonly Round[], ours: PeerId): string {
  return metric.goals.map((goal) => {
    const values = numbers(rounds, (round) => {
      const base = goal.against === undefined ? 1 : reference(goal.against, round)
      const own = round.get(ours)
      return own === undefined || base === undefined ? undefined : own / base
    })
    if (values.length === 0) return '?'
    const value = median(values)
    const met = value >= (goal.atLeast ?? -Infinity) && value <= (goal.atMost ?? Infinity)
    const text = goal.against === undefined ? value.toFixed(metric.digits ?? 0) : `${value.toFixed(2)} ×`
    return met ? text : `**${text}**`
  }).join(', ')
}

function reference(against: NonNullable<Goal['against']>, round: Round): number | undefined {
  if (against !== 'best peer') return round.get(against)
  const others = [...round].filter(([id]) => !OURS.includes(id)).map(([, value]) => value)
  return others.length === 0 ? undefined : Math.max(...others)
}

function goalText({ against, atLeast, atMost }: Goal): string {
  const bound = atLeast === undefined ? `≤ ${Number(atMost?.toFixed(3))}` : `≥ ${atLeast}`
  return against === undefined ? bound : `${bound} × ${against}`
}

function numbers(rounds: readonly Round[], pick: (round: Round) => number | undefined): number[] {
  return rounds.map(pick).filter((value) => value !== undefined)
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const [low = NaN, high = NaN] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]]
  return (low + high) / 2
}
