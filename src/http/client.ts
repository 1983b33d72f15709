import { TLSSocket } from 'node:tls'
import { hostOf, type HttpRequest } from './message.ts'

/** Who sent a request, as far as the connection tells. */
export interface Client {
  /** IP address. */
  readonly address: string
  /** `https://registry.example:1970`: how the client came here. */
  readonly origin: string
  readonly userAgent: string
}

export function clientOf(request: HttpRequest): Client {
  const { socket, headers } = request
  const scheme = socket instanceof TLSSocket ? 'https' : 'http'
  return {
    address: socket.remoteAddress ?? '',
    origin: `${scheme}://${hostOf(request)}`,
    userAgent: headers['user-agent'] ?? '',
  }
}
