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

export function checkUrl(value: string): void {
  if (!/^https?:\/\//.test(value) || !URL.canParse(value)) throw new Error(`'${withoutLogin(value)}' is not a URL like https://registry.example.com`)
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
  return value.replace(/\/\/[^/]*@/, '//')
}
