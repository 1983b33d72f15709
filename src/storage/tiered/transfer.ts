import { randomUUID } from 'node:crypto'
import { createDigester, type Digest } from '../../oci/digest.ts'
import { StorageFailedError } from '../errors.ts'
import type { AbortOptions, AppendOptions, FinishedUpload, ObjectStore } from '../object-store.ts'
import { AwayError, GRACE, settled, within } from './away.ts'

/** The repository that uploads from one store to the other are named after. */
const OWNER = 'disco/tier'
/** Milliseconds that a store may take for an upload's beginning and end, and from one chunk to the next. */
const SILENCE = 10_000
/** … and that what is read may take for each. */
const SOURCE = 30_000
/** Milliseconds that it may take to make all of an upload durable once it has it. */
const LAST = 60_000

/** What was to be copied could not be read, for the cause. */
export class SourceFailedError extends Error {
  override readonly name = 'SourceFailedError'
}

export interface Transfer extends AbortOptions, Pick<AppendOptions, 'onProgress' | 'chunkHashes'> {
  /** Bytes of the object at `path`, wherever they come from. */
  readonly source: AsyncIterable<Uint8Array>
  readonly path: string
  /** Of the bytes, where it is known: then the commit of the upload is refused if they are others. @default what they have */
  readonly digest?: Digest | undefined
  /** Of the upload. */
  readonly id?: string | undefined
}

/**
 * Makes an upload in a store of bytes that another has, which waits for its commit then. One piece is in memory at a
 * time, and a store that does not take it is not waited for.
 *
 * @throws AwayError when the store is silent, SourceFailedError; nothing of it is left there if it can be helped
 */
export async function transfer(to: Pick<ObjectStore, 'uploads'>, { source, path, digest, id = newUpload(), signal, ...options }: Transfer): Promise<FinishedUpload> {
  const { uploads } = to
  const hash = digest === undefined ? createDigester('sha256') : undefined
  const silence = new Silence(signal)
  let working: Promise<unknown> | undefined
  try {
    await silence.race((working = uploads.create(id, OWNER, { signal: silence.signal })))
    const watched = silence.watched(source, (chunk) => hash?.update(chunk))
    await silence.race((working = uploads.append(id, 0, watched, { ...options, signal: silence.signal })))
    return { id, path, digest: digest ?? { algorithm: 'sha256', hex: hash?.digest('hex') ?? '' } }
  } catch (error) {
    await settled(working, GRACE)
    await drop(to, id)
    signal?.throwIfAborted()
    throw silence.failure ?? error
  } finally {
    silence.end()
  }
}

export function newUpload(): string {
  return randomUUID()
}

/** As well as it can be done: what stays is purged with other unfinished uploads. */
export async function drop({ uploads }: Pick<ObjectStore, 'uploads'>, id: string): Promise<void> {
  await settled(within(SILENCE, undefined, (signal) => uploads.remove(id, { signal })), GRACE)
}

/** What a store has to take within some time; what it waits for from elsewhere has its own time. */
class Silence {
  readonly #stop = new AbortController()
  readonly #ended = Promise.withResolvers<never>()
  readonly #outer: AbortSignal | undefined
  readonly #abort = (): void => this.#fail(this.#outer?.reason)
  /** Of the source. */
  failure: SourceFailedError | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(outer: AbortSignal | undefined) {
    this.#ended.promise.catch(() => {})
    this.#outer = outer
    outer?.addEventListener('abort', this.#abort, { once: true })
    if (outer?.aborted === true) this.#abort()
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  async race<T>(work: Promise<T>): Promise<T> {
    this.#wait(SILENCE)
    try {
      return await Promise.race([work, this.#ended.promise])
    } finally {
      clearTimeout(this.#timer)
    }
  }

  async *watched(source: AsyncIterable<Uint8Array>, seen: (chunk: Uint8Array) => void): AsyncGenerator<Uint8Array, void, void> {
    const failed = (cause: unknown): SourceFailedError => (this.failure ??= new SourceFailedError('what was to be copied could not be read', { cause }))
    const silent = (): void => this.#fail(failed(new StorageFailedError(`nothing to read for ${SOURCE / 1000} s`)))
    this.#wait(SOURCE, silent)
    try {
      for await (const chunk of source) {
        seen(chunk)
        this.#wait(SILENCE)
        yield chunk
        this.#wait(SOURCE, silent)
      }
    } catch (cause) {
      throw failed(cause)
    }
    this.#wait(LAST)
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#outer?.removeEventListener('abort', this.#abort)
  }

  #wait(milliseconds: number, then = (): void => this.#fail(new AwayError(`no answer within ${milliseconds / 1000} s`))): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(then, milliseconds)
  }

  #fail(reason: unknown): void {
    const error = reason ?? new StorageFailedError('copying was given up')
    this.#stop.abort(error)
    this.#ended.reject(error)
  }
}
