import { isIP } from 'node:net'
import { choice, duration, integer, list, path, text, toggle, type Kind } from './kinds.ts'

/** What a Disco is told when it starts. */
export interface Config {
  /** Address that the registry listens on. */
  readonly host: string
  /** TCP port that the registry listens on; 0 takes a free one. */
  readonly port: number
  /** Data directory. */
  readonly data: string
  readonly network: 'public' | 'private'
  /** Multiaddrs that the IPFS node listens on. */
  readonly listen: readonly string[]
  /** Multiaddrs told to others in place of those it listens on. */
  readonly announce: readonly string[]
  /** Multiaddrs and http URLs of nodes to fetch from. */
  readonly peer: readonly string[]
  /** File with the swarm key of a private network, in Kubo's format. */
  readonly swarmKey: string | undefined
  readonly processes: number
  /** How long a pull looks for an image that is not here, in milliseconds. */
  readonly cloneTimeout: number
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
  readonly keepNames: boolean
  readonly noClone: boolean
}

export interface Option<T> {
  /** Without its dashes. */
  readonly flag: string
  /** Where it is not set, Distribution's name for the YAML key counts: `REGISTRY_LOG_LEVEL`. */
  readonly env: string
  /** Path of the key in the YAML file. */
  readonly yaml: string
  readonly kind: Kind<T>
  readonly default: T
  /** How the documentation writes the default, where it is not simply the value. */
  readonly defaultText?: string
  readonly doc: string
}

export type OptionName = keyof Config

/** Every option, once: flag, environment, YAML key, check, default and documentation come from here. */
export const OPTIONS: { readonly [Name in OptionName]: Option<Config[Name]> } = {
  host: {
    flag: 'host',
    env: 'DISCO_HOST',
    yaml: 'disco.host',
    kind: text,
    default: '0.0.0.0',
    doc: 'Address to serve on. All of them by default, so that other machines can push and pull; `127.0.0.1` keeps the registry to this machine. Docker takes a registry without TLS only on localhost or when it is listed in its `insecure-registries`.',
  },
  port: {
    flag: 'port',
    env: 'DISCO_PORT',
    yaml: 'disco.port',
    kind: integer('<port>', 0, 65_535),
    default: 1970,
    doc: 'TCP port of the registry and its gateway. `0` takes a free one.',
  },
  data: {
    flag: 'data',
    env: 'DISCO_DATA',
    yaml: 'disco.data',
    kind: path,
    default: path.read(['~/.disco']),
    defaultText: '~/.disco',
    doc: 'Directory that holds everything Disco keeps: images, index, identity.',
  },
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
  processes: {
    flag: 'processes',
    env: 'DISCO_PROCESSES',
    yaml: 'disco.processes',
    kind: integer('<number>', 1, 256),
    default: 1,
    doc: 'Processes that serve requests. With 2 or more, one process beside them runs the IPFS node.',
  },
  cloneTimeout: {
    flag: 'clone-timeout',
    env: 'DISCO_CLONE_TIMEOUT',
    yaml: 'disco.clonetimeout',
    kind: duration,
    default: 30_000,
    defaultText: '30s',
    doc: 'How long a pull looks for an image that is not here before it answers 404.',
  },
  logLevel: {
    flag: 'log-level',
    env: 'DISCO_LOG_LEVEL',
    yaml: 'log.level',
    kind: choice('debug', 'info', 'warn', 'error'),
    default: 'info',
    doc: 'Least weight of what is logged.',
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
}

export function optionNames(): OptionName[] {
  return Object.keys(OPTIONS) as OptionName[]
}

/** The shape alone; what runs the node has a check of its own for the rest, see `Checks`. */
function checkMultiaddr(value: string): void {
  if (!/^\/(?:ip4|ip6|dns|dns4|dns6|dnsaddr)(?:\/[^/\s]+)+$/.test(value)) {
    throw new Error(`'${value}' is not a multiaddr like /ip4/192.0.2.1/tcp/4001`)
  }
}

function checkPeer(value: string): void {
  if (/^https?:\/\//.test(value)) {
    if (!URL.canParse(value)) throw new Error(`'${value}' is not a URL like http://host:1970`)
    return
  }
  if (!value.startsWith('/')) {
    const guess = isIP(value.split(':')[0] ?? '') > 0 || /^[\w.-]+:\d+$/.test(value) ? `; is http://${value} meant?` : ''
    throw new Error(`'${value}' is neither a multiaddr nor an http URL${guess}`)
  }
  checkMultiaddr(value)
  if (!/\/p2p\/[^/]+$/.test(value)) throw new Error(`'${value}' lacks the peer's id: …/p2p/<peer id>`)
}
