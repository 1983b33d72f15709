import type { HeliaWithLibp2p } from '@helia/libp2p'
import type { Libp2p, PeerId } from '@libp2p/interface'
import { peerIdFromCID } from '@libp2p/peer-id'
import { createLibp2p } from 'libp2p'
import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../storage/object-store.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { BlockSource } from '../block-source.ts'
import { ContentUnavailableError } from '../errors.ts'
import type { BlockReader, ImageSession, IpfsNetwork, NodeInfo } from '../node.ts'
import { Turns } from '../turns.ts'
import { BitswapSource } from './bitswap/source.ts'
import { Bitswap } from './bitswap/service.ts'
import { loadIdentity } from './identity.ts'
import { privateLibp2p, type Libp2pServices } from './libp2p-options.ts'
import { listenAddresses } from './listen-addresses.ts'
import { DEFAULT_FIND_TIMEOUT, NetworkOptionError, type NetworkOptions } from './network-options.ts'
import { parseMultiaddr, parsePeers, type GivenPeers } from './network-peers.ts'
import { Provider, type ProvideTimes } from './provider.ts'
import { StaticPeers } from './static-peers.ts'
import { loadSwarmKey } from './swarm-key.ts'

export interface NetworkParts {
  readonly options: NetworkOptions
  /** What peers are served from. */
  readonly blocks: BlockReader
  readonly queue: ProvideTimes
  /** Makes the session of one image from where its blocks come. */
  readonly session: (root: CID, sources: SessionSources) => ImageSession
  readonly log: Logger
}

export interface SessionSources {
  /** Base URLs of the peers to ask over HTTP. */
  readonly gateways: readonly URL[]
  readonly bitswap: BlockSource
  /** Milliseconds. */
  readonly findTimeout: number
}

/** Milliseconds after which a node that has met nobody says so. */
const LONELY_AFTER = 10_000
/** Milliseconds that closing may take; what is not closed then is left to the end of the process. */
const STOP_TIMEOUT = 5_000
/** Providers dialled at a time. */
const DIALS = 8
const DIAL_TIMEOUT = 10_000
/** Searches by the routing at once; the given peers are asked without waiting for it. */
const LOOKUPS = 64
/** What a timer can wait for at most, in milliseconds; one that is longer ends at once. */
const LONGEST_TIMEOUT = 2 ** 31 - 1
type Routing = Pick<HeliaWithLibp2p['routing'], 'provide' | 'findProviders'>

/** Helia in public; where nobody is looked for, libp2p alone: Helia would bring 30 MB of modules that nobody uses. */
interface Node {
  /** Once it has been started. */
  readonly libp2p: Libp2p<Libp2pServices>
  readonly routing?: Routing
  start(): Promise<unknown>
  stop(): Promise<unknown>
}

interface Running {
  readonly node: Node
  readonly peers: StaticPeers
  readonly provider: Provider | undefined
  readonly lonely: NodeJS.Timeout
  readonly stop: AbortController
}

/** The IPFS network by a node of our own, over the registry's blocks. */
export class EmbeddedNetwork implements IpfsNetwork {
  readonly #parts: NetworkParts
  readonly #given: GivenPeers
  readonly #findTimeout: number
  readonly #lookups = new Turns(LOOKUPS)
  #running: Running | undefined

  /** @throws NetworkOptionError at the first option that can't be used */
  constructor(parts: NetworkParts) {
    const { mode, swarmKey, peers = [], listen = [], announce = [] } = parts.options
    if (mode === 'public' && swarmKey !== undefined) throw new NetworkOptionError('a swarm key needs a private network')
    for (const address of [...listen, ...announce]) parseMultiaddr(address)
    this.#parts = parts
    this.#findTimeout = Math.min(parts.options.findTimeout ?? DEFAULT_FIND_TIMEOUT, LONGEST_TIMEOUT)
    this.#given = parsePeers(peers)
    if (mode === 'private' && this.#given.multiaddrs.some((address) => address.toString().startsWith('/dnsaddr/'))) {
      throw new NetworkOptionError('a private network dials given addresses only: /dnsaddr leads to others')
    }
  }

  /** Waits for nobody: what is out there is dialled in the background. */
  async start(): Promise<void> {
    if (this.#running !== undefined) return
    const { options, queue, log } = this.#parts
    const node = await this.#createNode()
    try {
      await node.start()
    } catch (cause) {
      await node.stop().catch(() => {})
      throw cause
    }
    const { libp2p, routing } = node
    const peers = new StaticPeers(libp2p, this.#given.multiaddrs, log)
    const online = (): boolean => libp2p.getPeers().length > 0
    const provider = routing === undefined ? undefined : new Provider({ queue, provide: (root, { signal }) => routing.provide(root, { ...(signal && { signal }) }), online, log })
    const lonely = setTimeout(() => {
      if (options.mode === 'public' && !online()) log.warn('nobody could be reached on the IPFS network; all that is local works')
    }, LONELY_AFTER).unref()
    this.#running = { node, peers, provider, lonely, stop: new AbortController() }
    peers.start()
    provider?.start()
  }

  async stop(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    if (running === undefined) return
    running.stop.abort(new ContentUnavailableError('the search was ended', { failures: ['the IPFS network was stopped'] }))
    clearTimeout(running.lonely)
    running.peers.stop()
    const timeout = Promise.withResolvers<void>()
    const timer = setTimeout(() => timeout.resolve(), STOP_TIMEOUT)
    const closed = Promise.all([running.provider?.stop(), running.node.stop()])
    try {
      await Promise.race([closed, timeout.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  async info(): Promise<NodeInfo> {
    const { libp2p } = this.#started().node
    return {
      peerId: libp2p.peerId.toString(),
      addresses: libp2p.getMultiaddrs().map(String),
      peers: libp2p.getPeers().length,
    }
  }

  open(root: CID): ImageSession {
    return this.#parts.session(root, { gateways: this.#given.gateways, bitswap: this.source(root), findTimeout: this.#findTimeout })
  }

  /** Blocks of one image from the peers. */
  source(root: CID): BlockSource {
    const { node, peers, stop } = this.#started()
    return new BitswapSource({
      bitswap: node.libp2p.services.bitswap,
      find: (cid, found, options) => this.#find(cid, found, options),
      given: () => peers.states(),
      root,
      findTimeout: this.#findTimeout,
      exhaustive: this.#parts.options.mode === 'private',
      signal: stop.signal,
    })
  }

  async #createNode(): Promise<Node> {
    const { options, blocks, log } = this.#parts
    const parts = {
      privateKey: await loadIdentity(options.directory),
      listen: await listenAddresses(options.listen),
      announce: options.announce ?? [],
      bitswap: (components: ConstructorParameters<typeof Bitswap>[0]) => new Bitswap(components, blocks, log),
    }
    if (options.mode === 'public') return (await import('./public-node.ts')).createPublicNode(parts)
    const swarmKey = options.swarmKey === undefined ? undefined : await loadSwarmKey(options.swarmKey)
    const libp2p = await createLibp2p({ ...privateLibp2p({ ...parts, peers: this.#given.multiaddrs, swarmKey }), start: false })
    return { libp2p, start: async () => libp2p.start(), stop: async () => libp2p.stop() }
  }

  /** The peers that were given and, in public, those of whom the routing says that they have the root. */
  async #find(root: CID, found: (peer: PeerId) => void, options: AbortOptions): Promise<void> {
    const { peers, node: { routing } } = this.#started()
    const routed = routing === undefined ? undefined : this.#findProviders(routing, root, found, options)
    await Promise.all([peers.connected(found, options), routed])
  }

  async #findProviders(routing: Routing, root: CID, found: (peer: PeerId) => void, { signal }: AbortOptions): Promise<void> {
    const { libp2p } = this.#started().node
    const dials = new Set<Promise<void>>()
    const dial = async (id: PeerId): Promise<void> => {
      const limit = AbortSignal.timeout(DIAL_TIMEOUT)
      await libp2p.dial(id, { signal: signal === undefined ? limit : AbortSignal.any([signal, limit]) })
      found(id)
    }
    const endTurn = await this.#lookups.take({ signal })
    try {
      for await (const provider of routing.findProviders(root, { ...(signal && { signal }) })) {
        const id = peerIdFromCID(provider.id)
        if (id.equals(libp2p.peerId)) continue
        const dialled = dial(id).catch(() => {}).finally(() => dials.delete(dialled))
        dials.add(dialled)
        if (dials.size >= DIALS) await Promise.race(dials)
      }
      await Promise.all(dials)
    } finally {
      endTurn()
    }
  }

  #started(): Running {
    if (this.#running === undefined) throw new Error('the IPFS network is not started')
    return this.#running
  }
}
