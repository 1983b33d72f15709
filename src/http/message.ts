import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { constants, Http2ServerRequest, Http2ServerResponse } from 'node:http2'

/** A request of either version of HTTP, as far as both are alike. */
export type HttpRequest = IncomingMessage | Http2ServerRequest

/** What both versions can do to answer. */
export interface HttpResponse {
  readonly req: HttpRequest
  /** Null while the answers to requests before it on a connection of HTTP/1 are under way. */
  readonly socket: unknown
  readonly headersSent: boolean
  readonly statusCode: number
  writeHead(status: number, headers: OutgoingHttpHeaders): unknown
  writeContinue(): void
  setHeader(name: string, value: string): unknown
  write(chunk: Uint8Array, done: (error?: Error | null) => void): boolean
  end(): unknown
  end(body: string, encoding: BufferEncoding): unknown
  once(event: 'close' | 'finish' | 'socket', listener: () => void): unknown
  off(event: 'close' | 'finish', listener: () => void): unknown
  destroy(): unknown
}

export function isHttp2(request: HttpRequest): request is Http2ServerRequest {
  return request instanceof Http2ServerRequest
}

/** Nothing that is written arrives any more. */
export function isGone(response: HttpResponse): boolean {
  return response instanceof Http2ServerResponse ? response.stream.destroyed || response.stream.closed : (response as ServerResponse).destroyed
}

/**
 * Whether all was handed over before the response closed. A stream of HTTP/2 says that it has finished also when it was
 * reset; what it can be believed is whether it was ended.
 */
export function isThrough(response: HttpResponse): boolean {
  return response instanceof Http2ServerResponse ? response.writableEnded : (response as ServerResponse).writableFinished
}

/** So that no client takes what came for the whole: a stream that is merely destroyed ends without an error. */
export function cutOff(response: HttpResponse): void {
  if (response instanceof Http2ServerResponse) response.stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  else response.destroy()
}

/**
 * Cuts off an answer that does not leave within `timeout` milliseconds. A client of HTTP/2 may keep one for ever, by giving
 * its stream no window: the connection lives on, and is not idle for Node. One of HTTP/1 goes when it idles.
 */
export async function hasLeft(response: HttpResponse, timeout: number): Promise<void> {
  if (!(response instanceof Http2ServerResponse)) return
  const { stream } = response
  if (stream.writableFinished || stream.destroyed) return
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => cutOff(response), timeout)
    const onEnd = (): void => {
      clearTimeout(timer)
      stream.off('finish', onEnd).off('close', onEnd)
      resolve()
    }
    stream.on('finish', onEnd).on('close', onEnd)
  })
}

/**
 * Whether a body that has ended is all there. Node ends that of a stream of HTTP/2 also when the client resets it, then
 * without a word of it at first; and where the client did end it, Node may say so before the state of the stream does.
 */
export function isWhole(request: HttpRequest): boolean {
  if (!isHttp2(request)) return request.complete
  const { stream } = request
  return !stream.closed && !stream.destroyed && stream.state.remoteClose === 1
}

/** The host that a client wrote: HTTP/2 has a header of its own for it. */
export function hostOf({ headers }: HttpRequest): string {
  const authority = headers[':authority']
  return typeof authority === 'string' ? authority : (headers.host ?? '')
}
