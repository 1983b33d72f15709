import { StorageFailedError } from '../errors.ts'
import type { AbortOptions } from '../object-store.ts'
import { LEASE, RENEWAL } from './lease-time.ts'
import type { Register, Registered } from './register.ts'
import type { UploadContent, UploadRecord } from './upload-record.ts'

/** An upload that this process works on. */
export class TakenSession {
  readonly id: string
  readonly record: UploadRecord
  /** Names the state in which it was taken: whoever left it so was the last. */
  readonly foundAs: string
  readonly #register: Register<UploadRecord>
  readonly #timer: NodeJS.Timeout
  #etag: string
  #until: number
  #content: UploadContent
  #renewing: Promise<void> | undefined

  private constructor(id: string, register: Register<UploadRecord>, found: Pick<Registered<UploadRecord>, 'value' | 'etag'>, etag: string, until: number) {
    this.id = id
    const { busy, ...record } = found.value
    this.record = busy === true ? { ...record, dirty: true } : record
    this.foundAs = found.etag
    this.#register = register
    this.#etag = etag
    this.#until = until
    this.#content = this.record
    this.#timer = setInterval(() => void this.#renew(), RENEWAL)
  }

  /** Undefined: it is not as it was found. */
  static async take(
    id: string, register: Register<UploadRecord>, found: Pick<Registered<UploadRecord>, 'value' | 'etag'>, options: AbortOptions,
  ): Promise<TakenSession | undefined> {
    const until = performance.now() + LEASE
    const etag = await register.swap({ ...found.value, busy: true }, found.etag, options)
    return etag === undefined ? undefined : new TakenSession(id, register, found, etag, until)
  }

  /** Tells what is durable by now; the bucket hears of it in time. */
  progress(content: UploadContent): void {
    this.#content = content
  }

  /** Before what only who has it may do. @throws StorageFailedError when another may have it by now */
  assert(): void {
    if (performance.now() > this.#until) throw new StorageFailedError(`upload ${this.id} went on for longer than it may without a sign of life`)
  }

  /** Its state then, where it was still ours. */
  async give(record: UploadRecord): Promise<string | undefined> {
    clearInterval(this.#timer)
    await this.#renewing
    return this.#register.swap(record, this.#etag)
  }

  /** Its objects are gone, or go. */
  async drop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#renewing
  }

  #renew(): Promise<void> {
    return (this.#renewing ??= this.#renewOnce().finally(() => {
      this.#renewing = undefined
    }))
  }

  async #renewOnce(): Promise<void> {
    const until = performance.now() + LEASE
    try {
      const etag = await this.#register.swap({ ...this.record, modifiedAt: Date.now(), ...this.#content, busy: true }, this.#etag)
      if (etag === undefined) return
      this.#etag = etag
      this.#until = until
    } catch {
      // It runs out, and `assert` says so.
    }
  }
}
