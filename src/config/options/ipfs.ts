import { choice, path, toggle } from '../kinds.ts'
import { duration } from '../measures.ts'
import { list } from '../structures.ts'
import { checkMultiaddr, checkPeer } from './addresses.ts'
import type { OptionTable } from './option.ts'

export interface IpfsConfig {
  readonly network: 'public' | 'private'
  /** Multiaddrs that the IPFS node listens on. */
  readonly listen: readonly string[]
  /** Multiaddrs told to others in place of those it listens on. */
  readonly announce: readonly string[]
  /** Multiaddrs and http URLs of nodes to fetch from. */
  readonly peer: readonly string[]
  /** File with the swarm key of a private network, in Kubo's format. */
  readonly swarmKey: string | undefined
  /** How long a pull looks for an image that is not here, in milliseconds. */
  readonly cloneTimeout: number
  readonly keepNames: boolean
  readonly noClone: boolean
  /** Remote pinning services, by the names that the Kubos have for them, that pin each image. */
  readonly pinning: readonly string[]
}

export const IPFS_OPTIONS: OptionTable<IpfsConfig> = {
  network: {
    flag: 'network',
    env: 'DISCO_NETWORK',
    yaml: 'disco.network',
    kind: choice('public', 'private'),
    default: 'public',
    doc: '`public` joins the IPFS network: DHT, relays, local discovery. `private` announces nothing and speaks only with the peers that it is given.',
  },
  listen: {
    flag: 'listen',
    env: 'DISCO_LISTEN',
    yaml: 'disco.listen',
    kind: list('<multiaddr>', checkMultiaddr),
    default: [],
    defaultText: 'TCP port 4001, or a free one where it is taken',
    doc: 'Multiaddr that the IPFS node listens on, like `/ip4/0.0.0.0/tcp/4001`.',
  },
  announce: {
    flag: 'announce',
    env: 'DISCO_ANNOUNCE',
    yaml: 'disco.announce',
    kind: list('<multiaddr>', checkMultiaddr),
    default: [],
    defaultText: 'what it listens on',
    doc: 'Multiaddr to tell others, where it is not one that the node listens on (behind a NAT or a load balancer).',
  },
  peer: {
    flag: 'peer',
    env: 'DISCO_PEER',
    yaml: 'disco.peer',
    kind: list('<multiaddr|url>', checkPeer),
    default: [],
    doc: 'Node to fetch images from: a multiaddr with its peer id, or the `http://host:port` of another Disco or any trustless gateway, which is the fast way.',
  },
  swarmKey: {
    flag: 'swarm-key',
    env: 'DISCO_SWARM_KEY',
    yaml: 'disco.swarmkey',
    kind: path,
    default: undefined,
    defaultText: 'none',
    doc: 'File with the pre-shared key of a private network, in the format of Kubo\'s `swarm.key`. Needs `--network private`.',
  },
  cloneTimeout: {
    flag: 'clone-timeout',
    env: 'DISCO_CLONE_TIMEOUT',
    yaml: 'disco.clonetimeout',
    kind: duration,
    default: 30_000,
    doc: 'How long a pull looks for an image that is not here before it answers 404.',
  },
  keepNames: {
    flag: 'keepnames',
    env: 'DISCO_KEEPNAMES',
    yaml: 'disco.keepnames',
    kind: toggle,
    default: false,
    doc: 'Keep `<name>:latest` after a push. Without it the name goes once the image has its CID.',
  },
  noClone: {
    flag: 'noclone',
    env: 'DISCO_NOCLONE',
    yaml: 'disco.noclone',
    kind: toggle,
    default: false,
    doc: 'Never fetch an image from the network: what is not here is not found.',
  },
  pinning: {
    env: 'DISCO_PINNING',
    yaml: 'disco.pinning',
    kind: list('<name>'),
    default: [],
    doc: 'Remote pinning service that shall hold each image too, by the name that Kubo knows it by (`ipfs pin remote service add <name> …`). With [Kubo](operations.md#kubo) alone.',
  },
}
