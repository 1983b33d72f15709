import { createHash, type Hash } from 'node:crypto'
import { setPriority } from 'node:os'
import { parentPort, type MessagePort } from 'node:worker_threads'
import type { DigestAlgorithm } from '../../oci/digest.ts'
import { CHUNK_SIZE } from '../object-store.ts'

export type StreamRequest =
  | { readonly type: 'begin'; readonly stream: number; readonly algorithm: DigestAlgorithm | undefined; readonly chunks: boolean }
  | { readonly type: 'feed'; readonly stream: number; readonly id: number; readonly bytes: Uint8Array }
  | { readonly type: 'digest'; readonly stream: number; readonly id: number }
  | { readonly type: 'end'; readonly stream: number }

export interface StreamAnswer {
  readonly id: number
  readonly hex?: string | undefined
  readonly chunks?: Uint8Array | undefined
}

/** Enough for requests to go first, and not so much that other programs starve the hashing. */
const NICENESS = 5

/** What has come of one stream so far. */
class StreamHash {
  readonly #whole: Hash | undefined
  readonly #chunks: Buffer[] | undefined
  #chunk = createHash('sha256')
  #filled = 0

  constructor(algorithm: DigestAlgorithm | undefined, chunks: boolean) {
    this.#whole = algorithm === undefined ? undefined : createHash(algorithm)
    this.#chunks = chunks ? [] : undefined
  }

  feed(bytes: Uint8Array): void {
    this.#whole?.update(bytes)
    if (this.#chunks === undefined) return
    for (let at = 0; at < bytes.byteLength; ) {
      const part = bytes.subarray(at, at + CHUNK_SIZE - this.#filled)
      this.#chunk.update(part)
      at += part.byteLength
      this.#filled += part.byteLength
      if (this.#filled < CHUNK_SIZE) continue
      this.#chunks.push(this.#chunk.digest())
      this.#chunk = createHash('sha256')
      this.#filled = 0
    }
  }

  /** Of what has come; more may. */
  digest(): Omit<StreamAnswer, 'id'> {
    const hex = this.#whole?.copy().digest('hex')
    if (this.#chunks === undefined) return { hex }
    const last = this.#filled === 0 ? [] : [this.#chunk.copy().digest()]
    return { hex, chunks: new Uint8Array(Buffer.concat([...this.#chunks, ...last])) }
  }
}

function serve(port: MessagePort): void {
  const streams = new Map<number, StreamHash>()
  port.on('message', (request: StreamRequest) => {
    const stream = streams.get(request.stream)
    if (request.type === 'begin') streams.set(request.stream, new StreamHash(request.algorithm, request.chunks))
    else if (request.type === 'end') streams.delete(request.stream)
    else if (request.type === 'digest') port.postMessage({ id: request.id, ...stream?.digest() } satisfies StreamAnswer)
    else {
      stream?.feed(request.bytes)
      port.postMessage({ id: request.id } satisfies StreamAnswer)
    }
  })
}

if (parentPort !== null) {
  // Hashing takes most of the CPU of a push, and answers to requests must not queue behind it.
  if (process.platform === 'linux') setPriority(0, NICENESS)
  serve(parentPort)
}
