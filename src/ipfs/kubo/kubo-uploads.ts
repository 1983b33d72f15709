import type { CID } from 'multiformats/cid'
import type { Digest } from '../../oci/digest.ts'
import type { EmbeddedStore } from '../../storage/embedded/store.ts'
import type { Statement } from '../../storage/embedded/statement.ts'
import type { AbortOptions, AppendOptions, ByteRange, FinishedUpload, ListOptions, UploadStat } from '../../storage/object-store.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { KuboNodes } from './kubo-nodes.ts'
import type { SendingUploads, SentBlob } from './sent-blob.ts'

export interface KuboUploadsParts {
  /** Where bytes are until a node has them. Its owner closes it. */
  readonly local: EmbeddedStore
  readonly nodes: KuboNodes
  readonly log: Logger
}

/** A blob that a node has, and of which nothing is here. */
export interface AdoptedBlob {
  /** Of whatever layout. */
  readonly cid: CID
  /** In bytes. */
  readonly size: number
  /** What its bytes were found to hash to. */
  readonly digest: Digest
  /** Where the object goes once it is committed: the node that this routes to has the blob, whole. */
  readonly path: string
  /** The repository that the upload is named after. */
  readonly repository: string
}

/** Uploads on their way into Kubo: bytes are local until a node has them. */
export class KuboUploads implements SendingUploads {
  private constructor(_parts: KuboUploadsParts) {}

  /** @throws StorageFailedError */
  static async open(parts: KuboUploadsParts): Promise<KuboUploads> {
    return new KuboUploads(parts)
  }

  /** Ends what is being sent; what came is kept. */
  close(): Promise<void> {
    throw new Error('to come')
  }

  /** Makes an upload of a blob that came by its CID, held at `held(id)` from then on. @throws Error when the id is taken; StorageFailedError */
  adopt(_id: string, _blob: AdoptedBlob, _options?: AbortOptions): Promise<void> {
    throw new Error('to come')
  }

  /** The path of MFS at which a node holds the blob of an upload: whoever needs it held before links it there himself. */
  held(_id: string): string {
    throw new Error('to come')
  }

  /** Lets go of what nodes hold for uploads that are no more. @returns how many */
  clean(_options?: AbortOptions): Promise<number> {
    throw new Error('to come')
  }

  finish(_upload: FinishedUpload, _options?: AbortOptions): Promise<SentBlob> {
    throw new Error('to come')
  }

  gone(_id: string): readonly Statement[] {
    throw new Error('to come')
  }

  tidy(_id: string): Promise<void> {
    throw new Error('to come')
  }

  create(_id: string, _repository: string, _options?: AbortOptions): Promise<void> {
    throw new Error('to come')
  }

  stat(_id: string, _options?: AbortOptions): Promise<UploadStat | undefined> {
    throw new Error('to come')
  }

  append(_id: string, _offset: number, _source: AsyncIterable<Uint8Array>, _options?: AppendOptions): Promise<number> {
    throw new Error('to come')
  }

  read(_id: string, _options?: ByteRange & AbortOptions): AsyncIterable<Uint8Array> {
    throw new Error('to come')
  }

  verify(_id: string, _digest: Digest, _options?: AbortOptions): Promise<void> {
    throw new Error('to come')
  }

  remove(_id: string, _options?: AbortOptions): Promise<void> {
    throw new Error('to come')
  }

  list(_options?: ListOptions): Promise<UploadStat[]> {
    throw new Error('to come')
  }
}
