import type { CID } from 'multiformats/cid'
import type { KuboNode } from '../nodes/node.ts'

/** One call that changes a node's MFS. */
export type Step = { readonly node: KuboNode; readonly path: string; readonly order: number } & (
  /** A file or a whole directory, where nothing is. `files`: those in it, where they are of the bundle. */
  | { readonly link: CID; readonly files?: readonly Written[] }
  /** A small file, in place of the one that is there. */
  | { readonly write: Uint8Array }
  | { readonly replace: CID }
  | { readonly remove: true }
)

export interface Written {
  readonly path: string
  readonly data: Uint8Array
  readonly order: number
}
