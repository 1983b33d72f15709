import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../storage/object-store.ts'

/** Blocks of one DAG from elsewhere: a gateway, bitswap, or several of them together. */
export interface BlockSource {
  /**
   * A block whose bytes have been verified against its CID, which has to be one of sha2-256. Where they are all of their ArrayBuffer it is the caller's alone.
   *
   * @throws ContentUnavailableError when nobody gave it in time
   * @throws VerificationError when what came does not hash to it, and nobody else had better
   */
  fetch(cid: CID, options?: AbortOptions): Promise<Uint8Array>

  /** Those that were given to be asked and have not answered anything yet, each with the reason. */
  unanswered?(): readonly string[]

  close(): Promise<void>
}
