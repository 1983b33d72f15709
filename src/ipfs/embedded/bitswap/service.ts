import type { Connection, Libp2pEvents, PeerId, Startable, Stream, StreamHandler, StreamHandlerOptions, Topology, TypedEventTarget } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../../storage/object-store.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import type { BlockReader } from '../../node.ts'
import { BitswapClient } from './client.ts'
import { BitswapInbox } from './inbox.ts'
import { BitswapLink } from './link.ts'
import { encodeMessage, type BitswapMessage } from './message.ts'
import { BitswapServer } from './server.ts'

export const BITSWAP_PROTOCOL = '/ipfs/bitswap/1.2.0'

/** Streams that a peer may have open: each may hold a message that is not complete yet. Kubo uses about ten. */
const MAX_INBOUND_STREAMS = 32

/** What a service of libp2p finds in it. */
export interface BitswapComponents {
  readonly registrar: {
    handle(protocol: string, handler: StreamHandler, options: StreamHandlerOptions): Promise<void>
    unhandle(protocol: string): Promise<void>
    register(protocol: string, topology: Topology): Promise<string>
    unregister(id: string): void
  }
  readonly connectionManager: { getConnections(peer: PeerId): Connection[] }
  readonly events: TypedEventTarget<Libp2pEvents>
}

/**
 * Bitswap 1.2.0 as a service of libp2p: serves the blocks that are here and asks peers for others, block by block, peer by peer.
 *
 * Not `@helia/bitswap`, because of what that does with the blocks of images: a session asks every peer for every block,
 * so each block comes once from each; all that a peer wants, up to 1024 blocks, is read into memory at once; a peer that
 * asks again for a block that it was sent before gets no answer; and a block costs twice the CPU on the serving side.
 */
export class Bitswap implements Startable {
  readonly #components: BitswapComponents
  readonly #client: BitswapClient
  readonly #server: BitswapServer
  readonly #inbox = new BitswapInbox()
  readonly #peers = new Map<string, PeerId>()
  readonly #links = new Map<string, BitswapLink>()
  readonly #listeners = new Set<(peer: PeerId) => void>()
  #topology: string | undefined

  constructor(components: BitswapComponents, blocks: BlockReader, log: Logger) {
    const send = async (peer: string, message: Partial<BitswapMessage>): Promise<void> => this.#link(peer).send(encodeMessage(message))
    this.#components = components
    this.#client = new BitswapClient(send)
    this.#server = new BitswapServer(blocks, send, log)
  }

  async start(): Promise<void> {
    const options = { maxInboundStreams: MAX_INBOUND_STREAMS, maxOutboundStreams: MAX_INBOUND_STREAMS }
    const { registrar, events } = this.#components
    events.addEventListener('peer:disconnect', this.#disconnected)
    events.addEventListener('connection:close', this.#connectionClosed)
    await registrar.handle(BITSWAP_PROTOCOL, (stream, connection) => this.#receive(stream, connection), options)
    this.#topology = await registrar.register(BITSWAP_PROTOCOL, { onConnect: (peer) => this.#connected(peer) })
  }

  async stop(): Promise<void> {
    const { registrar, events } = this.#components
    events.removeEventListener('peer:disconnect', this.#disconnected)
    events.removeEventListener('connection:close', this.#connectionClosed)
    if (this.#topology !== undefined) registrar.unregister(this.#topology)
    await registrar.unhandle(BITSWAP_PROTOCOL)
    for (const peer of this.#links.keys()) this.#drop(peer, new Error('bitswap was stopped'))
  }

  /** Connected peers that speak bitswap. */
  get peers(): PeerId[] {
    return [...this.#peers.values()]
  }

  /** Tells of each peer that connects and speaks bitswap, until the function that is returned is called. */
  onPeer(listener: (peer: PeerId) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * A block from one connected peer, verified; undefined when the peer says that it has none.
   *
   * @throws Error when the peer can't be asked or is gone before it has answered
   */
  async want(peer: PeerId, cid: CID, options?: AbortOptions): Promise<Uint8Array | undefined> {
    if (this.#components.connectionManager.getConnections(peer).length === 0) throw new Error(`${peer} is not connected`)
    return this.#client.want(this.#name(peer), cid, options)
  }

  #receive(stream: Stream, connection: Connection): void {
    const peer = this.#name(connection.remotePeer)
    this.#inbox.read(stream, (message) => {
      this.#client.receive(peer, message)
      this.#server.receive(peer, message)
    })
  }

  #connected(peer: PeerId): void {
    this.#peers.set(this.#name(peer), peer)
    for (const listener of this.#listeners) listener(peer)
  }

  readonly #disconnected = (event: CustomEvent<PeerId>): void => {
    this.#drop(event.detail.toString(), new Error(`${event.detail} disconnected`))
  }

  /** Another connection may be left, but questions and answers may have gone with this one. */
  readonly #connectionClosed = ({ detail: { remotePeer } }: CustomEvent<Connection>): void => {
    if (this.#components.connectionManager.getConnections(remotePeer).length > 0) this.#client.askAgain(remotePeer.toString())
  }

  #drop(peer: string, reason: Error): void {
    this.#client.disconnected(peer, reason)
    this.#server.disconnected(peer)
    this.#links.get(peer)?.close(reason)
    this.#links.delete(peer)
    this.#peers.delete(peer)
  }

  /** The peer's name, under which its link is known from now on. */
  #name(peer: PeerId): string {
    const name = peer.toString()
    if (!this.#links.has(name)) this.#links.set(name, new BitswapLink(() => this.#open(peer)))
    return name
  }

  #link(peer: string): BitswapLink {
    const link = this.#links.get(peer)
    if (link === undefined) throw new Error(`${peer} is not connected`)
    return link
  }

  /** Over a connection that is there; nobody is dialled for it. Relayed connections are for small talk. */
  async #open(peer: PeerId): Promise<Stream> {
    const connections = this.#components.connectionManager.getConnections(peer)
    const connection = connections.find(({ status, limits }) => status === 'open' && limits === undefined)
    if (connection === undefined) throw new Error(`${peer} is not connected`)
    const stream = await connection.newStream(BITSWAP_PROTOCOL)
    await stream.closeRead()
    return stream
  }
}
