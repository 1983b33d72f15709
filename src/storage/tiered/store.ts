import type { AbortOptions, Batch, ChunkHashes, ListOptions, ObjectStat, ObjectStore, ReadOptions, UploadStore } from '../object-store.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { TierPlaces } from './places.ts'

type Store = ObjectStore & ChunkHashes

export interface TieredStoreParts {
  /** Has the uploads, decides expectations, and has all that is not shared. Its owner closes it. */
  readonly authority: Store
  /** May lack anything at any time. Its owner closes it. */
  readonly copy: Store
  readonly places: TierPlaces
  /** Who is asked first for what is fixed. */
  readonly first: 'copy' | 'authority'
  /** A commit whose part for the copy fails is an error, and processes change the copy one at a time. @default false */
  readonly strict?: boolean | undefined
  /** Nothing is written to heal one of the two. @default false */
  readonly readonly?: boolean | undefined
  readonly log: Logger
}

/** One store over two. */
export class TieredStore implements ObjectStore, ChunkHashes {
  readonly uploads: UploadStore
  readonly #parts: TieredStoreParts

  constructor(parts: TieredStoreParts) {
    this.#parts = parts
    this.uploads = parts.authority.uploads
  }

  /** Why the copy is left alone now; undefined: it is not. */
  get away(): string | undefined {
    return undefined
  }

  /** For health: fails while the copy is left alone. */
  async probe(): Promise<void> {
    if (this.away !== undefined) throw new Error(this.away)
  }

  /** Begins what one process does for all: works off what is owed to the copy, and brings back what one of the two has lost. */
  start(): void {}

  async stop(): Promise<void> {}

  /** Ends what goes on beside the requests. The two stores stay open. */
  async close(): Promise<void> {}

  /** Whether an object can be had from the copy itself, now. Whatever fails: no. */
  async hasInCopy(_path: string, _options?: AbortOptions): Promise<boolean> {
    return false
  }

  /** Brings what a path is, or is in, to the one of the two that lacks it. Whether there was something to bring. @throws whatever a store throws */
  async restore(_path: string, _options?: AbortOptions): Promise<boolean> {
    return false
  }

  stat(path: string, options?: AbortOptions): Promise<ObjectStat | undefined> {
    return this.#parts.authority.stat(path, options)
  }

  get(path: string, options?: AbortOptions): Promise<Uint8Array | undefined> {
    return this.#parts.authority.get(path, options)
  }

  read(path: string, options?: ReadOptions): AsyncIterable<Uint8Array> {
    return this.#parts.authority.read(path, options)
  }

  list(directory: string, options?: ListOptions): Promise<string[]> {
    return this.#parts.authority.list(directory, options)
  }

  commit(batch: Batch, options?: AbortOptions): Promise<void> {
    return this.#parts.authority.commit(batch, options)
  }

  chunkHashes(path: string, options?: AbortOptions): Promise<Uint8Array> {
    return this.#parts.authority.chunkHashes(path, options)
  }
}
