import type { CID } from 'multiformats/cid'
import type { Digest } from '../../oci/digest.ts'
import type { AbortOptions } from '../../storage/object-store.ts'

/** Where what is whole at a node, but in no place yet, is held in its MFS: one entry an upload. */
export const STAGED = '/disco/staged'

/** A blob that came by its CID and not by its bytes: it is at the node of its path already, whole and verified, held at `STAGED/<upload id>`. */
export interface AdoptedBlob {
  /** Of whatever layout: it stays as it is. */
  readonly cid: CID
  /** In bytes. */
  readonly size: number
  readonly digest: Digest
  /** The name that the upload is listed under: that of the image. */
  readonly repository: string
}

/** Uploads that never were bytes here: the commit only links them. */
export interface AdoptingUploads {
  /** Makes an upload of it, which `finish` finds sent and `remove` lets go of. @throws Error when the id is taken */
  adopt(id: string, blob: AdoptedBlob, options?: AbortOptions): Promise<void>
}
