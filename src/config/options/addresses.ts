import { isIP } from 'node:net'

/** The shape alone; what runs the node has a check of its own for the rest, see `Checks`. */
export function checkMultiaddr(value: string): void {
  if (!/^\/(?:ip4|ip6|dns|dns4|dns6|dnsaddr)(?:\/[^/\s]+)+$/.test(value)) {
    throw new Error(`'${value}' is not a multiaddr like /ip4/192.0.2.1/tcp/4001`)
  }
}

export function checkPeer(value: string): void {
  if (/^https?:\/\//.test(value)) {
    if (!URL.canParse(value)) throw new Error(`'${withoutLogin(value)}' is not a URL like http://host:1970`)
    return
  }
  if (!value.startsWith('/')) {
    const guess = isIP(value.split(':')[0] ?? '') > 0 || /^[\w.-]+:\d+$/.test(value) ? `; is http://${value} meant?` : ''
    throw new Error(`'${withoutLogin(value)}' is neither a multiaddr nor an http URL${guess}`)
  }
  checkMultiaddr(value)
  if (!/\/p2p\/[^/]+$/.test(value)) throw new Error(`'${value}' lacks the peer's id: …/p2p/<peer id>`)
}

/**
 * Where the RPC of a Kubo is, as a URL: `http://user:password@host:5001`, and as the original Disco takes it too, `host:5001`
 * or `/ip4/127.0.0.1/tcp/5001`.
 */
export function kuboUrl(value: string): string {
  if (value === '') throw new Error("is empty: the URL of a Kubo's RPC like http://localhost:5001 is wanted")
  const [, host, port] = /^\/(?:ip4|ip6|dns|dns4|dns6)\/([^/\s]+)\/tcp\/(\d+)(?:\/http)?$/.exec(value) ?? []
  const bare = host === undefined ? value : `${host.includes(':') ? `[${host}]` : host}:${port}`
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(bare) ? bare : `http://${bare}`
  if (!/^https?:\/\/[^/]/i.test(url) || !URL.canParse(url)) throw new Error(`'${withoutLogin(value)}' is not the URL of a Kubo's RPC like http://localhost:5001`)
  const { search, hash } = new URL(url)
  if (search !== '' || hash !== '') throw new Error(`'${withoutLogin(value)}' has more than a URL of a Kubo's RPC has: http://localhost:5001`)
  return url.replace(/\/(?:api\/v0\/?)?$/, '')
}

export function checkUrl(value: string): void {
  if (!/^https?:\/\//.test(value) || !URL.canParse(value)) throw new Error(`'${withoutLogin(value)}' is not a URL like https://registry.example.com`)
}

/** A URL that others are told: without a login, which would be theirs then, and what stands behind `#`, which is for nobody. */
export function checkBase(value: string): void {
  checkUrl(value)
  const { username, password, hash } = new URL(value)
  if (`${username}${password}${hash}` !== '') throw new Error(`'${withoutLogin(value)}' has a login or a # in it, and every client would be told: a URL like https://cdn.example.com is wanted`)
}

/** Where a server is, and no more: what lets in is said elsewhere, and never shown. */
export function checkServerUrl(value: string): void {
  checkUrl(value)
  const { username, password, search, hash } = new URL(value)
  if (`${username}${password}${search}${hash}` !== '') throw new Error(`'${withoutLogin(value)}' has more than the URL of a server has: https://storage.example.com`)
}

/** Of a server of buckets: a URL, or a host with its port or without. */
export function checkEndpoint(value: string): void {
  const [, scheme = '', rest = ''] = /^(https?:\/\/)?(.*)$/is.exec(value) ?? []
  // Keys of Amazon's have slashes in them.
  if (rest.includes('@')) {
    const server = withoutLogin(`${scheme}${rest.slice(rest.lastIndexOf('@') + 1)}`)
    throw new Error(`has a login in it, and must have none: write '${server}', and accesskey and secretkey beside it`)
  }
  const isServer = /^(?:\[[0-9a-f:.]+\]|[^\s:/?#@[\]]+)(?::\d+)?(?:\/[^\s?#@]*)?$/i.test(rest) && URL.canParse(`https://${rest}`)
  if (!isServer) throw new Error(`'${withoutLogin(value)}' is not the URL of a server like https://minio.example.com:9000`)
}

/** `:5001`, `host:5001`, `[::1]:5001`. */
export function checkAddress(value: string): void {
  const [, port = ''] = /^(?:\[[0-9a-f:.]+\]|[^:\s]*):(\d+)$/i.exec(value) ?? []
  if (port === '' || Number(port) > 65_535) throw new Error(`'${value}' is not an address like :5001 or localhost:5001`)
}

/** An address or a range of them: `10.0.0.0/8`. */
export function checkRange(value: string): void {
  const [address = '', bits, ...more] = value.split('/')
  const family = isIP(address)
  const most = family === 6 ? 128 : 32
  if (family === 0 || more.length > 0 || (bits !== undefined && (!/^\d+$/.test(bits) || Number(bits) > most))) {
    throw new Error(`'${value}' is not an address or a range like 10.0.0.0/8`)
  }
}

/** What is wrong with a URL is read by more people than its password. */
function withoutLogin(value: string): string {
  return value.replace(/(^|\/\/)[^/]*@/, '$1').replace(/\?.*$/s, '?…')
}
