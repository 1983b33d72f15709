import type { EmbeddedStore } from '../../storage/embedded/store.ts'
import type { AbortOptions, Batch, ChunkHashes, ListOptions, ObjectStat, ObjectStore, ReadOptions } from '../../storage/object-store.ts'
import type { KuboNodes } from './kubo-nodes.ts'
import type { SendingUploads } from './sent-blob.ts'

export interface KuboStoreParts {
  readonly nodes: KuboNodes
  /** What is not in MFS, and the journal. Its owner closes it. */
  readonly local: EmbeddedStore
  readonly uploads: SendingUploads
  /** The data directory. */
  readonly directory: string
}

/** Objects in the MFS of one Kubo or several, below `docker/registry/v2/`; everything else is local. */
export class KuboStore implements ObjectStore, ChunkHashes {
  readonly uploads: SendingUploads

  private constructor({ uploads }: KuboStoreParts) {
    this.uploads = uploads
  }

  /** Finishes a commit that was cut off. @throws StorageFailedError */
  static async open(parts: KuboStoreParts): Promise<KuboStore> {
    return new KuboStore(parts)
  }

  async close(): Promise<void> {}

  stat(_path: string, _options?: AbortOptions): Promise<ObjectStat | undefined> {
    throw new Error('to come')
  }

  get(_path: string, _options?: AbortOptions): Promise<Uint8Array | undefined> {
    throw new Error('to come')
  }

  read(_path: string, _options?: ReadOptions): AsyncIterable<Uint8Array> {
    throw new Error('to come')
  }

  list(_directory: string, _options?: ListOptions): Promise<string[]> {
    throw new Error('to come')
  }

  commit(_batch: Batch, _options?: AbortOptions): Promise<void> {
    throw new Error('to come')
  }

  chunkHashes(_path: string, _options?: AbortOptions): Promise<Uint8Array> {
    throw new Error('to come')
  }
}
