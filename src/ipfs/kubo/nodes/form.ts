import type { ClientRequest } from 'node:http'
import type { Silence } from './silence.ts'

/** Bytes below which a chunk is copied. */
const SMALL_CHUNK = 16 * 1024

/** Sends one file as a form. */
export async function sendForm(request: ClientRequest, body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, boundary: string, silence: Silence | undefined): Promise<void> {
  silence?.rest()
  for await (const chunk of formOf(body, boundary)) {
    if (request.destroyed) return
    silence?.heard()
    await written(request, chunk)
    silence?.rest()
  }
  silence?.heard()
  request.end()
}

/** When the system has the bytes, and so their memory may be used again. Small ones are copied, as waiting for each costs more. */
function written(request: ClientRequest, chunk: Uint8Array): Promise<void> | undefined {
  const small = chunk.byteLength < SMALL_CHUNK
  if (small && request.write(new Uint8Array(chunk))) return undefined
  return new Promise((resolve) => {
    const go = (): void => {
      request.off('drain', go).off('close', go)
      resolve()
    }
    request.on('close', go)
    if (small) request.on('drain', go)
    else request.write(chunk, go)
  })
}

async function* formOf(body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, boundary: string): AsyncGenerator<Uint8Array, void, undefined> {
  yield Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\nContent-Type: application/octet-stream\r\n\r\n`)
  yield* body
  yield Buffer.from(`\r\n--${boundary}--\r\n`)
}
