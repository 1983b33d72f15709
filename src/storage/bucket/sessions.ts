import { StorageFailedError, UploadBusyError, UploadUnknownError } from '../errors.ts'
import type { AbortOptions } from '../object-store.ts'
import type { Bucket } from './bucket.ts'
import { keys } from './keys.ts'
import { hasRunOut } from './lease-time.ts'
import { Register, type Registered } from './register.ts'
import { TakenSession } from './taken-session.ts'
import { isUploadRecord, type UploadContent, type UploadRecord } from './upload-record.ts'

/** Sessions whose state is remembered: taking one as it was left here needs no look. */
const REMEMBERED = 1000

/** Which uploads there are, and who is at work on each. */
export class Sessions {
  readonly #bucket: Bucket
  readonly #known = new Map<string, Pick<Registered<UploadRecord>, 'value' | 'etag'>>()
  readonly #busy = new Set<string>()

  constructor(bucket: Bucket) {
    this.#bucket = bucket
  }

  /** @throws Error when the id is taken */
  async create(id: string, repository: string, options: AbortOptions): Promise<void> {
    const value: UploadRecord = { repository, modifiedAt: Date.now(), pieces: [] }
    const etag = await this.#register(id).swap(value, undefined, options)
    if (etag === undefined) throw new Error(`upload ${id} exists`)
    this.#remember(id, { value, etag })
  }

  async find(id: string, options: AbortOptions): Promise<UploadRecord | undefined> {
    const found = await this.#register(id).read(options)
    if (found === undefined) this.#known.delete(id)
    else if (found.value.busy !== true && !this.#busy.has(id)) this.#remember(id, found)
    return found?.value
  }

  /** The right to work on it, until it is given back. @throws UploadBusyError, UploadUnknownError */
  async take(id: string, options: AbortOptions): Promise<TakenSession> {
    if (this.#busy.has(id)) throw new UploadBusyError(id)
    this.#busy.add(id)
    try {
      return await this.#take(id, options)
    } catch (error) {
      this.#busy.delete(id)
      throw error
    }
  }

  /** Gives it back with what is in it by now; the state that this leaves. @throws StorageFailedError when it was not ours any more */
  async give(session: TakenSession, content?: UploadContent): Promise<string> {
    const { id, record } = session
    try {
      const value = content === undefined ? record : { ...record, ...content, modifiedAt: Date.now() }
      const etag = await session.give(value)
      if (etag === undefined) throw new StorageFailedError(`upload ${id} was taken over by another process`)
      this.#remember(id, { value, etag })
      return etag
    } finally {
      this.#busy.delete(id)
    }
  }

  /** The session is no more. */
  forget({ id }: TakenSession): void {
    this.#known.delete(id)
    this.#busy.delete(id)
  }

  async #take(id: string, options: AbortOptions): Promise<TakenSession> {
    const register = this.#register(id)
    const known = this.#known.get(id)
    this.#known.delete(id)
    const quick = known && (await TakenSession.take(id, register, known, options))
    if (quick !== undefined) return quick
    const found = await register.read(options)
    if (found === undefined) throw new UploadUnknownError(id)
    if (found.value.busy === true && !hasRunOut(found.age)) throw new UploadBusyError(id)
    const taken = await TakenSession.take(id, register, found, options)
    if (taken === undefined) throw new UploadBusyError(id)
    return taken
  }

  #register(id: string): Register<UploadRecord> {
    return new Register(this.#bucket, keys.session(id), isUploadRecord)
  }

  #remember(id: string, known: Pick<Registered<UploadRecord>, 'value' | 'etag'>): void {
    this.#known.delete(id)
    this.#known.set(id, known)
    const [oldest] = this.#known.keys()
    if (this.#known.size > REMEMBERED && oldest !== undefined) this.#known.delete(oldest)
  }
}
