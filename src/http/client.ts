import { isIP } from 'node:net'
import { TLSSocket } from 'node:tls'
import { hostOf, type HttpRequest } from './message.ts'
import { plainAddress, type Networks } from './networks.ts'

/** Who sent a request, as far as the connection tells, or a proxy that is trusted. */
export interface Client {
  /** IP address; empty for another process of this registry. */
  readonly address: string
  /** `https://registry.example:1970`: how the client came here. */
  readonly origin: string
  readonly userAgent: string
}

export interface ClientOptions {
  /** Proxies that are believed what they say of their clients. @default none */
  readonly trustedProxies?: Networks | undefined
}

export function clientOf(request: HttpRequest, { trustedProxies }: ClientOptions): Client {
  const { socket, headers } = request
  const address = plainAddress(socket.remoteAddress ?? '')
  const forwarded = trustedProxies?.has(address) === true ? forwardedBy(request, trustedProxies) : {}
  const scheme = forwarded.scheme ?? (socket instanceof TLSSocket ? 'https' : 'http')
  return {
    address: forwarded.address ?? address,
    origin: `${scheme}://${forwarded.host ?? hostOf(request)}`,
    userAgent: headers['user-agent'] ?? '',
  }
}

interface Forwarded {
  readonly address?: string | undefined
  readonly scheme?: string | undefined
  readonly host?: string | undefined
}

/** RFC 7239, or the headers that were before it. Every proxy adds to the end: the last address that is no proxy's is the client's. */
function forwardedBy({ headers }: HttpRequest, proxies: Networks): Forwarded {
  const hops = headers.forwarded === undefined ? undefined : headers.forwarded.split(',').map(pairsOf)
  const addresses = (hops?.map((hop) => hop.get('for') ?? '') ?? valuesOf(headers['x-forwarded-for'])).map(addressIn)
  const at = addresses.findLastIndex((address) => address === undefined || !proxies.has(address))
  const hop = hops?.[Math.max(at, 0)]
  const scheme = (hop?.get('proto') ?? valuesOf(headers['x-forwarded-proto'])[0])?.toLowerCase()
  const host = hop?.get('host') ?? valuesOf(headers['x-forwarded-host'])[0]
  return {
    address: addresses[at],
    scheme: scheme === 'https' || scheme === 'http' ? scheme : undefined,
    host: host !== undefined && /^[\w.:[\]-]+$/.test(host) ? host : undefined,
  }
}

function pairsOf(hop: string): Map<string, string> {
  return new Map(hop.split(';').map((pair) => {
    const [name = '', ...value] = pair.split('=')
    return [name.trim().toLowerCase(), value.join('=').trim().replace(/^"(.*)"$/, '$1')]
  }))
}

function valuesOf(header: string | readonly string[] | undefined): string[] {
  return header === undefined ? [] : String(header).split(',').map((value) => value.trim()).filter((value) => value !== '')
}

/** Proxies write `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1` and `[2001:db8::1]:4711`. */
function addressIn(text: string): string | undefined {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text
  return isIP(bare) > 0 ? plainAddress(bare) : undefined
}
