import { randomUUID } from 'node:crypto'
import { StorageFailedError } from '../errors.ts'
import type { AbortOptions } from '../object-store.ts'
import type { Bucket } from './bucket.ts'

export interface Registered<T> {
  readonly value: T
  readonly etag: string
  /** Milliseconds since it was written, by the server's clock. */
  readonly age: number
}

/** A small object that all processes change, each only what it has seen. */
export class Register<T extends object> {
  readonly #bucket: Bucket
  readonly #path: string
  readonly #is: (value: object) => value is T

  constructor(bucket: Bucket, path: string, is: (value: object) => value is T) {
    this.#bucket = bucket
    this.#path = path
    this.#is = is
  }

  async read(options?: AbortOptions): Promise<Registered<T> | undefined> {
    const found = await this.#bucket.get(this.#path, options)
    if (found === undefined) return undefined
    const value = parse(found.data)
    if (value === undefined || !this.#is(value)) throw new StorageFailedError(`${this.#path} in the bucket is not what this version of Disco writes there`)
    return { value, etag: found.etag, age: found.age }
  }

  /**
   * Writes it if nobody else has since it had this etag; without one, if there is none. The new etag; undefined when
   * somebody has.
   */
  async swap(value: T, etag: string | undefined, options?: AbortOptions): Promise<string | undefined> {
    // No two writes are the same, so that each has an etag of its own, and is known again.
    const write = randomUUID()
    const written = await this.#bucket.putIf(this.#path, Buffer.from(JSON.stringify({ ...value, write })), etag, options)
    if (written !== undefined) return written
    const found = await this.#bucket.get(this.#path, options)
    const there = found && parse(found.data)
    return there !== undefined && 'write' in there && there.write === write ? found?.etag : undefined
  }
}

function parse(data: Uint8Array): object | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString())
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
