import { RegistryError } from '../oci/errors.ts'
import { giveBack } from '../storage/give-back.ts'
import { isHttp2, isWhole, type HttpRequest } from './message.ts'

/** Bytes that may wait for their reader before the client is made to wait. */
const WAITING = 256 * 1024

/** Bytes of a body that have come. */
export interface Received {
  received: number
}

/**
 * A body as it comes. A chunk is the reader's until it asks for the next: then its memory goes back at once. Node's own
 * iterator joins what waits into new buffers, and leaves all of them to the collector of garbage, which then walks the
 * whole heap every few megabytes: five times the CPU for a push.
 *
 * @param timeout how long the next byte may take once it is waited for, in milliseconds
 * @param traffic where the bytes are counted
 * @throws RegistryError 408 when it takes longer, so that an upload is not held for a client that may never come back;
 *   Error when the connection ends before the body does
 */
export async function* bodyChunks(request: HttpRequest, timeout: number, traffic: Received = { received: 0 }): AsyncGenerator<Uint8Array, void, void> {
  const waiting: Uint8Array[] = []
  let bytes = 0
  let ended = request.readableEnded && isWhole(request)
  let failure: Error | undefined = request.errored ?? undefined
  let wake = (): void => {}
  const onData = (chunk: Uint8Array): void => {
    waiting.push(chunk)
    traffic.received += chunk.byteLength
    bytes += chunk.byteLength
    if (bytes >= WAITING) request.pause()
    wake()
  }
  const onError = (error: Error): void => {
    failure ??= error
    wake()
  }
  const onWhole = (): void => {
    ended = true
    wake()
  }
  const onEnd = (): void => {
    if (isWhole(request)) return onWhole()
    // Node may tell the end of a stream of HTTP/2 before it has noted it.
    setImmediate(() => (isWhole(request) ? onWhole() : onError(cutOff())))
  }
  const onClose = (): void => {
    if (!ended) onError(cutOff())
  }
  request.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose)
  if (request.destroyed) onClose()
  try {
    for (;;) {
      const chunk = waiting.shift()
      if (chunk !== undefined) {
        bytes -= chunk.byteLength
        yield chunk
        // Node itself may not be through with the memory of a frame.
        if (!isHttp2(request)) giveBack(chunk)
      } else if (failure !== undefined) {
        throw failure
      } else if (ended) {
        return
      } else {
        const more = new Promise<void>((resolve) => (wake = resolve))
        const timer = setTimeout(() => onError(stalled(timeout)), timeout)
        request.resume()
        await more
        clearTimeout(timer)
      }
      if (bytes < WAITING / 2 && request.isPaused()) request.resume()
    }
  } finally {
    request.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose)
    request.pause()
  }
}

function cutOff(): Error {
  return new Error('the connection ended before the body')
}

function stalled(timeout: number): RegistryError {
  return new RegistryError('SIZE_INVALID', `nothing of the body came for ${timeout / 1000} s`, { status: 408, headers: { Connection: 'close' } })
}
