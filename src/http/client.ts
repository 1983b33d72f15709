import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'

/** Who sent a request, as far as the connection tells. */
export interface Client {
  /** IP address. */
  readonly address: string
  /** `https://registry.example:1970`: how the client came here. */
  readonly origin: string
  readonly userAgent: string
}

export function clientOf({ socket, headers }: IncomingMessage): Client {
  const scheme = socket instanceof TLSSocket ? 'https' : 'http'
  return {
    address: socket.remoteAddress ?? '',
    origin: `${scheme}://${headers.host ?? ''}`,
    userAgent: headers['user-agent'] ?? '',
  }
}
