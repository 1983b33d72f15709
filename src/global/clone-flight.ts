import type { CID } from 'multiformats/cid'
import { ContentUnavailableError, VerificationError } from '../ipfs/errors.ts'
import type { FileFetch, ImageSession, IpfsNetwork, ProvideQueue } from '../ipfs/node.ts'
import { RegistryError } from '../oci/errors.ts'
import { blobData, layoutPath } from '../registry/paths.ts'
import type { Turns } from '../ipfs/turns.ts'
import type { AbortOptions, ByteRange, FinishedUpload, ObjectStore } from '../storage/object-store.ts'
import type { CloneObserver } from '../telemetry/clone-observer.ts'
import type { Logger } from '../telemetry/logger.ts'
import { readImage, type ClonedImage, type Fetched } from './clone.ts'
import { FetchQueue } from './fetch-queue.ts'
import { globalRepositories, shownBy, type PlacedEntry } from './repository-tree.ts'
import { untilAborted } from '../oci/until-aborted.ts'

export interface FlightParts {
  readonly store: ObjectStore
  readonly network: Pick<IpfsNetwork, 'open'>
  readonly provides?: ProvideQueue | undefined
  /** Images that are transferred at once: those that are still searched for cost little. */
  readonly turns: Turns
  /** Most bytes of an image that is fetched. @default any number */
  readonly cloneSize?: number | undefined
  /** Free bytes where blobs go. @default as many as are wanted */
  readonly room?: (() => Promise<number>) | undefined
  readonly observer?: CloneObserver | undefined
  readonly log: Logger
}

/** Milliseconds that an image which was found may wait for its turn. */
const TURN_TIMEOUT = 60_000

/** Whether a global repository is in the store, whole. @param name its CID */
export async function isHere(store: ObjectStore, name: string, options?: AbortOptions): Promise<boolean> {
  return await store.stat(shownBy(name), options) !== undefined
}

/** One clone of one image, whoever waits for it. Before its last step nothing of it is in the store. */
export class CloneFlight {
  readonly #cid: CID
  readonly #parts: FlightParts
  readonly #abort = new AbortController()
  readonly #image = Promise.withResolvers<ClonedImage | undefined>()
  readonly #landed: Promise<void>
  #queue: FetchQueue<PlacedEntry> | undefined
  #found = false
  #waiting = 0

  constructor(cid: CID, parts: FlightParts) {
    this.#cid = cid
    this.#parts = parts
    this.#image.promise.catch(() => {})
    const fly = (): Promise<number> => this.#fly()
    this.#landed = (parts.observer?.during(cid.toString(), fly) ?? fly()).then(() => {})
    this.#landed.catch(() => {})
  }

  /** Settles when the image is stored, or has failed and left nothing. @throws RegistryError */
  get landed(): Promise<void> {
    return this.#landed
  }

  /** The image, verified but for its blobs' bytes; undefined where it was here already. @throws RegistryError */
  async image(options: AbortOptions = {}): Promise<ClonedImage | undefined> {
    return this.#wait(this.#image.promise, options)
  }

  /** Waits until the image is stored. @throws RegistryError */
  async complete(options: AbortOptions = {}): Promise<void> {
    return this.#wait(this.#landed, options)
  }

  /** Nobody can board it any more. */
  get isStopped(): boolean {
    return this.#abort.signal.aborted
  }

  stop(reason: RegistryError): void {
    this.#abort.abort(reason)
  }

  /** Bytes of a blob as they arrive. Where the flight lands meanwhile, the rest comes from the store. */
  async *read(entry: PlacedEntry, { start = 0, length, signal }: ByteRange & AbortOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    let passed = 0
    try {
      const fetch = await untilAborted(this.#ask(entry), signal)
      for await (const chunk of fetch.read({ start, length }, { signal })) {
        passed += chunk.byteLength
        yield chunk
      }
      return
    } catch {
      signal?.throwIfAborted()
      // A read may fail because the upload that it reads has just become the object; what went wrong, the landing tells.
      await untilAborted(this.#landed, signal)
    }
    const rest = length === undefined ? undefined : length - passed
    yield* this.#parts.store.read(blobData(entry.digest), { start: start + passed, length: rest, signal })
  }

  async #ask(entry: PlacedEntry): Promise<FileFetch> {
    if (this.#queue === undefined) throw new Error('asked for a blob before the image was known')
    return this.#queue.ask(entry)
  }

  /** Who goes away stops only his own waiting; when nobody waits for the image to be found, the search ends. */
  async #wait<T>(work: Promise<T>, { signal }: AbortOptions): Promise<T> {
    this.#waiting++
    try {
      return await untilAborted(work, signal)
    } finally {
      this.#waiting--
      if (this.#waiting === 0 && this.#queue === undefined) this.#abort.abort(new RegistryError('UNAVAILABLE', 'nobody waits for the image any more'))
    }
  }

  /** Resolves with the size of the image in bytes; 0 where it was here. */
  async #fly(): Promise<number> {
    const { store, network, log } = this.#parts
    const cid = this.#cid.toString()
    let session: ImageSession | undefined
    try {
      // Another flight may have landed since the caller looked.
      if (await isHere(store, cid, this.#options)) {
        this.#image.resolve(undefined)
        return 0
      }
      session = network.open(this.#cid)
      await untilAborted(session.find(this.#options), this.#abort.signal)
      this.#found = true
      const endTurn = await this.#turn()
      try {
        const size = await this.#transfer(session)
        log.info({ cid, size }, 'image cloned')
        return size
      } finally {
        endTurn()
      }
    } catch (error) {
      const told = this.#told(error)
      this.#queue?.stop(told)
      log.warn({ cid, err: error }, 'clone failed')
      await this.#close(session)
      session = undefined
      this.#image.reject(told)
      throw told
    } finally {
      await this.#close(session)
    }
  }

  async #turn(): Promise<() => void> {
    const timeout = new AbortController()
    const timer = setTimeout(() => timeout.abort(busy()), TURN_TIMEOUT)
    try {
      return await this.#parts.turns.take({ signal: AbortSignal.any([this.#abort.signal, timeout.signal]) })
    } finally {
      clearTimeout(timer)
    }
  }

  async #transfer(session: ImageSession): Promise<number> {
    const { store, provides, log } = this.#parts
    const image = await untilAborted(readImage(this.#cid, session, this.#options), this.#abort.signal)
    await this.#checkSize(image)
    const fetched: Fetched[] = [...image.fetched]
    // What is a manifest as well is here already; asked for again, its fetch is joined.
    const blobs = image.entries.filter(({ blob }) => blob)
    this.#queue = new FetchQueue(blobs, ({ digest, cid, size }) => {
      const file = { digest, cid, size, path: blobData(digest) }
      const fetch = session.fetch(file)
      fetched.push({ ...file, fetch })
      return fetch
    })
    this.#image.resolve(image)
    await untilAborted(this.#queue.done, this.#abort.signal)
    const uploads = await untilAborted(finishedUploads(fetched), this.#abort.signal)
    const layout = await session.keep(this.#options)
    const laidOut = layout === undefined ? [] : [{ put: layoutPath(this.#cid.toString()), data: layout }]
    await store.commit({ uploads, changes: [...laidOut, ...globalRepositories(image)] }, this.#options)
    try {
      await provides?.provide([image.cid, ...image.entries.map(({ cid }) => cid)])
    } catch (err) {
      log.error({ err, cid: image.cid.toString() }, 'cannot queue the image for providing')
    }
    return image.entries.reduce((sum, { size }) => sum + size, 0)
  }

  /** Told before the first blob is asked for: nobody is to fill a disk in vain. */
  async #checkSize({ entries }: ClonedImage): Promise<void> {
    const { cloneSize = Infinity, room, store } = this.#parts
    const size = entries.reduce((sum, entry) => sum + entry.size, 0)
    if (size > cloneSize) {
      throw new RegistryError('UNAVAILABLE', `${this.#cid} has ${size} bytes: images of more than ${cloneSize} are not fetched here`, { status: 413 })
    }
    const free = await room?.()
    if (free === undefined || size <= free) return
    const here = await Promise.all(entries.map(async (entry) => (await store.stat(blobData(entry.digest), this.#options))?.size ?? 0))
    const missing = size - here.reduce((sum, bytes) => sum + bytes, 0)
    if (missing > free) throw new RegistryError('UNAVAILABLE', `no room for ${this.#cid}: it has ${missing} bytes more, and ${free} are free`, { status: 507 })
  }

  async #close(session: ImageSession | undefined): Promise<void> {
    try {
      await session?.close()
    } catch (err) {
      this.#parts.log.error({ err, cid: this.#cid.toString() }, 'cannot tidy up after a clone')
    }
  }

  get #options(): AbortOptions {
    return { signal: this.#abort.signal }
  }

  /** What the client is told. The name is unknown only where nothing was found and all who were asked have said no. */
  #told(cause: unknown): RegistryError {
    const cid = this.#cid.toString()
    if (cause instanceof RegistryError) return cause
    if (cause instanceof VerificationError) return new RegistryError('MANIFEST_UNVERIFIED', `${cid}: ${cause.message}`, { cause })
    if (!(cause instanceof ContentUnavailableError)) return unavailable(cid, cause instanceof Error ? cause.message : String(cause), cause)
    const { failures, summary } = cause
    if (!this.#found && failures.length === 0) {
      return new RegistryError('NAME_UNKNOWN', `nobody was found who has the image: ${summary}`, { cause, detail: { name: cid } })
    }
    // Which ones they are is in the log, for the operator.
    const failed = failures.length === 0 ? '' : `; peers that failed or could not be asked: ${failures.length}`
    return unavailable(cid, summary + failed, cause)
  }
}

function unavailable(cid: string, reason: string, cause: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', `${cid} could not be cloned: ${reason}`, { cause })
}

/** What who comes when there is no room is told. */
export function busy(): RegistryError {
  return new RegistryError('UNAVAILABLE', 'too many images are being cloned, try again', { headers: { 'Retry-After': '5' } })
}

async function finishedUploads(fetched: readonly Fetched[]): Promise<FinishedUpload[]> {
  const uploads = new Map<string, FinishedUpload>()
  for (const { path, digest, fetch } of fetched) {
    const { upload: id } = await fetch.done
    if (id !== undefined) uploads.set(id, { id, path, digest })
  }
  return [...uploads.values()]
}
