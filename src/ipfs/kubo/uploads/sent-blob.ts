import type { CID } from 'multiformats/cid'
import type { Statement } from '../../../storage/embedded/statement.ts'
import type { AbortOptions, FinishedUpload, UploadStore } from '../../../storage/object-store.ts'

/** A blob that is whole at the node that its path routes to, and held there until it is in its place. */
export interface SentBlob {
  readonly cid: CID
  /** In bytes. */
  readonly size: number
  /** Where in the node's MFS it is held until `tidy`; undefined: it is at its path already. */
  readonly held: string | undefined

  /** Gives the upload back, whatever became of the commit: others may go on with it, where it is still there. */
  release(): Promise<void>
}

/** Uploads that become objects of Kubo's. */
export interface SendingUploads extends UploadStore {
  /**
   * Checks an upload, takes it until `release`, and sees to it that its blob is where its path routes to.
   *
   * @throws DigestMismatchError, UploadUnknownError, UploadBusyError, StorageFailedError
   */
  finish(upload: FinishedUpload, options?: AbortOptions): Promise<SentBlob>

  /** What makes uploads go whose objects are in their places: part of the transaction that ends the commit. Safe to repeat. */
  gone(id: string): readonly Statement[]

  /** Afterwards: tidies up what may have held it at the nodes, and its bytes here. Never throws; what it can't do now is done later. */
  tidy(id: string): Promise<void>
}
