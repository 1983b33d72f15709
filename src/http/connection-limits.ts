import type { Socket } from 'node:net'
import { networkOf } from '../auth/network-of.ts'
import { plainAddress, type Networks } from './networks.ts'

export interface ConnectionLimitsOptions {
  /** Connections of all clients together. 0: no limit. */
  readonly total: number
  /** … and of one. @default half of the total */
  readonly perClient?: number | undefined
  /** They bring many clients. @default none */
  readonly trustedProxies?: Networks | undefined
  /** There are too many: closes those that nobody uses now. */
  readonly makeRoom: () => void
}

/** Part of the total from which on idle connections go. */
const CROWDED = 0.9
/** … how often, at most, in milliseconds: it looks at all of them. */
const PAUSE = 1_000

/** Counts connections, so that no client has all the memory and file descriptors. */
export class ConnectionLimits {
  readonly #options: ConnectionLimitsOptions
  readonly #clients = new Map<string, number>()
  #total = 0
  #madeRoom = -PAUSE

  constructor(options: ConnectionLimitsOptions) {
    this.#options = options
  }

  /** False for one too many: it is to be dropped. */
  admits(socket: Socket): boolean {
    const { total, perClient = Math.ceil(total / 2), trustedProxies, makeRoom } = this.#options
    const address = plainAddress(socket.remoteAddress ?? '')
    if (total === 0 || address === '') return true
    const client = networkOf(address)
    const own = this.#clients.get(client) ?? 0
    if (own >= perClient && trustedProxies?.has(address) !== true) return false
    if (this.#total >= total * CROWDED && performance.now() - this.#madeRoom >= PAUSE) {
      this.#madeRoom = performance.now()
      makeRoom()
    }
    if (this.#total >= total) return false
    this.#total++
    this.#clients.set(client, own + 1)
    socket.once('close', () => this.#closed(client))
    return true
  }

  #closed(client: string): void {
    this.#total--
    const left = (this.#clients.get(client) ?? 1) - 1
    if (left === 0) this.#clients.delete(client)
    else this.#clients.set(client, left)
  }
}
