import type { Peer, PeerId } from '../peers.ts'
import type { Server } from '../server.ts'

export interface Goal {
  /** Compares with this peer; else with the bare number. */
  readonly against?: PeerId | 'best peer'
  readonly atLeast?: number
  readonly atMost?: number
}

export interface Metric {
  readonly title: string
  readonly unit: string
  /** Fraction digits. @default 0 */
  readonly digits?: number
  readonly goals: readonly Goal[]
}

/** What a case gets for one run of one peer: servers in fresh directories, stopped after it. */
export interface Bench {
  readonly peer: Peer
  /** Empty, and gone with the run. */
  readonly directory: string
  start(extra?: readonly string[]): Promise<Server>
}

export interface Case {
  readonly name: string
  readonly peers: readonly PeerId[]
  readonly metrics: Readonly<Record<string, Metric>>
  /** One number for each metric that the peer has. */
  run(bench: Bench): Promise<Readonly<Record<string, number>>>
}

export const MEBIBYTE: number = 1024 * 1024
