import { setImmediate } from 'node:timers/promises'
import type { CID } from 'multiformats/cid'
import { ObjectUnknownError } from '../../storage/errors.ts'
import type { AbortOptions, ObjectStore } from '../../storage/object-store.ts'
import { VerificationError } from '../errors.ts'
import type { LaidOutFile } from '../node.ts'
import { layoutTree } from '../unixfs/tree-layout.ts'
import { walkFile, type FetchBlock } from '../unixfs/walk-file.ts'
import type { Block } from '../unixfs/block.ts'
import type { WalkedTree } from '../unixfs/walk-tree.ts'
import { Window } from '../unixfs/window.ts'
import type { BlockTable } from './block-table.ts'
import { readLayout } from './layout-reader.ts'
import { BLOCKS_A_TURN, LayoutWriter } from './layout-record.ts'
import { rootLast } from './slice-row.ts'

/** What an index that may be lost can't tell from the objects again: DAGs in another layout than that of the profile. */
export class DagLayouts {
  readonly #blocks: BlockTable
  readonly #store: Pick<ObjectStore, 'stat'>

  constructor(blocks: BlockTable, store: Pick<ObjectStore, 'stat'>) {
    this.#blocks = blocks
    this.#store = store
  }

  /**
   * The record of an image whose files are in the index already.
   *
   * @returns undefined where there is nothing to tell: all of it is of the profile
   */
  async write(root: CID, walked: WalkedTree | undefined, files: Iterable<LaidOutFile>, { signal }: AbortOptions): Promise<{ readonly record: Uint8Array | undefined; readonly overfull: boolean }> {
    const writer = new LayoutWriter()
    let met = 0
    const hollow: FetchBlock = async (cid) => {
      if (++met % BLOCKS_A_TURN === 0) await setImmediate()
      return this.#blocks.hollow(cid) ?? fail(cid)
    }
    const told = new Set<string>()
    for (const { cid, path } of files) {
      const known = this.#blocks.root(path)
      if (told.has(cid.toString()) || (known !== undefined && Buffer.compare(known, cid.bytes) === 0)) continue
      told.add(cid.toString())
      // Nothing has to be fetched, so nothing is fetched ahead.
      await writer.addFile(cid, walkFile(cid, hollow, { window: new Window(0), signal }))
    }
    // Last: who finds the root in an index takes all for there.
    if (walked !== undefined && !layoutTree(walked.tree).root.equals(root)) writer.addTree(walked.blocks)
    return writer.finish()
  }

  /** See `RebuildableIndex.takeLayout`. */
  async take(record: AsyncIterable<Uint8Array>, files: readonly LaidOutFile[], options: AbortOptions): Promise<readonly Block[]> {
    const paths = new Map(files.map(({ cid, path }) => [cid.toString(), path]))
    const pathOf = (cid: CID): string => {
      const path = paths.get(cid.toString())
      if (path === undefined) throw new VerificationError(`${cid} is no file of the image`)
      return path
    }
    const sizeOf = async (cid: CID): Promise<number> => {
      const path = pathOf(cid)
      const stat = await this.#store.stat(path, options)
      if (stat === undefined) throw new ObjectUnknownError(path)
      return stat.size
    }
    let tree: readonly Block[] = []
    for await (const section of readLayout(record, sizeOf, options)) {
      if ('tree' in section) tree = section.tree
      // What is before and behind a file's bytes nobody has held against anything: what was recorded before is better.
      else await this.#blocks.putSlices(pathOf(section.file), rootLast(section.rows), { ...options, replace: false })
    }
    return tree
  }
}

function fail(cid: CID): never {
  throw new Error(`block ${cid} should be in the index`)
}
