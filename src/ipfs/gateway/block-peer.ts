import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../storage/object-store.ts'

export interface AskOptions extends AbortOptions {
  /** Called with their number whenever bytes arrive: who is slow does not stall. */
  readonly onBytes?: ((bytes: number) => void) | undefined
}

/** Somebody who can be asked for one block and answers. */
export interface BlockPeer {
  /** For the log. */
  readonly name: string
  /**
   * A verified block; undefined when the peer says that it hasn't it.
   *
   * @throws VerificationError when what it sent is not the block; any other error when it could not be asked
   */
  ask(cid: CID, options?: AskOptions): Promise<Uint8Array | undefined>
  close(): Promise<void>
}
