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

/**
 * RFC 7239, or the headers that were before it. Every proxy adds to the end: the last address that is no proxy's is the
 * client's. A proxy adds to one kind of header and passes the other on as the client wrote it, so where there are both and
 * they differ, neither is believed.
 */
function forwardedBy({ headers }: HttpRequest, proxies: Networks): Forwarded {
  const hops = valuesOf(headers.forwarded).map(pairsOf)
  const named = clientAt(hops.map((hop) => hop.get('for') ?? ''), proxies)
  const older = clientAt(valuesOf(headers['x-forwarded-for']), proxies)
  if (named !== undefined && older !== undefined && named.address !== older.address) return {}
  const hop = hops[named?.at ?? 0]
  const scheme = (hop?.get('proto') ?? valuesOf(headers['x-forwarded-proto'])[0])?.toLowerCase()
  const host = hop?.get('host') ?? valuesOf(headers['x-forwarded-host'])[0]
  return {
    address: (named ?? older)?.address,
    scheme: scheme === 'https' || scheme === 'http' ? scheme : undefined,
    host: host !== undefined && /^[\w.:[\]-]+$/.test(host) ? host : undefined,
  }
}

/** The client among the addresses of a header, and its place there; undefined where there are none, or proxies alone. */
function clientAt(texts: readonly string[], proxies: Networks): { readonly at: number; readonly address: string | undefined } | undefined {
  const addresses = texts.map(addressIn)
  const at = addresses.findLastIndex((address) => address === undefined || !proxies.has(address))
  return at === -1 ? undefined : { at, address: addresses[at] }
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
