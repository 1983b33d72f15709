import type { Libp2p, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { AbortOptions } from '../../storage/object-store.ts'
import type { Logger } from '../../telemetry/logger.ts'

/** Milliseconds before a peer is dialled again, doubled with every failure. */
const FIRST_PAUSE = 1_000
const LONGEST_PAUSE = 60_000
/** Milliseconds that a dial may take. */
const DIAL_TIMEOUT = 10_000
/** Keeps the connections to given peers when libp2p has too many. */
const TAG = { 'disco-peer': { value: 100 } }

interface StaticPeer {
  readonly address: Multiaddr
  id: PeerId | undefined
  dialling: Promise<PeerId | undefined> | undefined
  failures: number
  timer: NodeJS.Timeout | undefined
}

/** What is known of a given peer. */
export interface GivenPeer {
  readonly address: string
  /** While it is connected. */
  readonly id: PeerId | undefined
}

/** The peers that were given: dialled at start, and again and again when they are not there. */
export class StaticPeers {
  readonly #libp2p: Libp2p
  readonly #log: Logger
  readonly #peers: readonly StaticPeer[]
  readonly #stopped = new AbortController()

  constructor(libp2p: Libp2p, addresses: readonly Multiaddr[], log: Logger) {
    this.#libp2p = libp2p
    this.#log = log
    this.#peers = addresses.map((address) => ({ address, id: undefined, dialling: undefined, failures: 0, timer: undefined }))
  }

  /** Begins to dial; waits for nobody. */
  start(): void {
    this.#libp2p.addEventListener('peer:disconnect', this.#disconnected)
    for (const peer of this.#peers) void this.#connect(peer)
  }

  stop(): void {
    this.#libp2p.removeEventListener('peer:disconnect', this.#disconnected)
    this.#stopped.abort()
    for (const { timer } of this.#peers) clearTimeout(timer)
  }

  states(): GivenPeer[] {
    return this.#peers.map(({ address, id }) => ({
      address: address.toString(),
      id: id !== undefined && this.#libp2p.getConnections(id).length > 0 ? id : undefined,
    }))
  }

  /** Tells of every given peer that is connected, dialling at once those that are not; resolves when each has been tried. */
  async connected(found: (peer: PeerId) => void, { signal }: AbortOptions = {}): Promise<void> {
    const tries = this.#peers.map(async (peer) => {
      const id = await this.#connect(peer)
      if (id !== undefined && signal?.aborted !== true) found(id)
    })
    await Promise.all(tries)
  }

  readonly #disconnected = ({ detail }: CustomEvent<PeerId>): void => {
    const peer = this.#peers.find(({ id }) => id?.equals(detail))
    if (peer === undefined) return
    this.#log.info({ peer: peer.address.toString() }, 'peer disconnected')
    this.#later(peer)
  }

  #connect(peer: StaticPeer): Promise<PeerId | undefined> {
    if (peer.id !== undefined && this.#libp2p.getConnections(peer.id).length > 0) return Promise.resolve(peer.id)
    peer.dialling ??= this.#dial(peer).finally(() => {
      peer.dialling = undefined
    })
    return peer.dialling
  }

  async #dial(peer: StaticPeer): Promise<PeerId | undefined> {
    clearTimeout(peer.timer)
    if (this.#stopped.signal.aborted) return undefined
    try {
      const signal = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(DIAL_TIMEOUT)])
      const { remotePeer } = await this.#libp2p.dial(peer.address, { signal })
      await this.#libp2p.peerStore.merge(remotePeer, { tags: TAG })
      peer.id = remotePeer
      peer.failures = 0
      this.#log.info({ peer: peer.address.toString(), id: remotePeer.toString() }, 'peer connected')
      return remotePeer
    } catch (err) {
      if (this.#stopped.signal.aborted) return undefined
      const level = peer.failures === 0 ? 'warn' : 'debug'
      this.#log[level]({ peer: peer.address.toString(), err }, 'peer cannot be reached; it is tried again')
      peer.failures++
      this.#later(peer)
      return undefined
    }
  }

  /** Not all at the same time, whoever was cut off by the same event. */
  #later(peer: StaticPeer): void {
    if (this.#stopped.signal.aborted) return
    const pause = Math.min(FIRST_PAUSE * 2 ** Math.max(0, peer.failures - 1), LONGEST_PAUSE)
    clearTimeout(peer.timer)
    peer.timer = setTimeout(() => void this.#connect(peer), pause * (0.75 + Math.random() / 2)).unref()
  }
}
