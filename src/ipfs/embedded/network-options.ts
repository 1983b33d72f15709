export interface NetworkOptions {
  /** `private`: static peers only, nothing announced, nothing dialled but the given peers. */
  readonly mode: 'public' | 'private'

  /** Directory of the node's identity (`identity.key`); made when it is missing. */
  readonly directory: string

  /** Multiaddrs to listen on, all of them or `start` fails; empty: none. @default DEFAULT_LISTEN, on a free port where it is taken */
  readonly listen?: readonly string[] | undefined

  /** Multiaddrs to tell others instead of those that the node finds itself. */
  readonly announce?: readonly string[] | undefined

  /** Peers to stay connected to: multiaddrs, and base URLs (`http:`, `https:`) of Discos or trustless gateways. @default none */
  readonly peers?: readonly string[] | undefined

  /** Pre-shared key of a private swarm: the text of Kubo's `swarm.key`, or the path of such a file. Private mode only. */
  readonly swarmKey?: string | Uint8Array | undefined

  /** Milliseconds to wait for somebody who has a block, while nobody gives anything. @default 30000 */
  readonly findTimeout?: number | undefined
}

/** Where Kubo listens too, so that firewalls and habits fit. */
export const DEFAULT_LISTEN: readonly string[] = ['/ip4/0.0.0.0/tcp/4001', '/ip6/::/tcp/4001']

/** Milliseconds. */
export const DEFAULT_FIND_TIMEOUT: number = 30_000

/** An option that can't be used, said in the words of whoever set it. */
export class NetworkOptionError extends Error {
  override readonly name = 'NetworkOptionError'
}
