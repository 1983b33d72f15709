import { randomUUID } from 'node:crypto'
import type { CID } from 'multiformats/cid'
import type { Database } from '../../../storage/embedded/database.ts'
import { ObjectUnknownError } from '../../../storage/errors.ts'
import type { AbortOptions } from '../../../storage/object-store.ts'
import { encodeCar } from '../../car.ts'
import { BLOCK_TABLES } from '../../embedded/block-table.ts'
import { PROVIDE_TABLES, ProvideTable } from '../../embedded/provide-table.ts'
import type { DagIndex, FileOptions, ProvideQueue, Tree } from '../../node.ts'
import { chunkHashesOf, layoutFile } from '../../unixfs/file-layout.ts'
import { layoutTree } from '../../unixfs/tree-layout.ts'
import { KuboBlocks } from './blocks.ts'
import { DAGS, HeldDags } from './held-dags.ts'
import { LeftOvers } from '../nodes/left-overs.ts'
import type { KuboNode, MfsStat } from '../nodes/node.ts'
import { failed, mfsPath, type KuboNodes } from '../nodes/nodes.ts'
import { repositoryOf } from '../store/tree.ts'
import { profileHashes } from './profile.ts'

const MAKING = 'making-'
/** Milliseconds after which what was begun will not be finished. */
const UNFINISHED_TIME = 60 * 60 * 1000

/** Stored objects as the nodes have them: what a DAG is made of they know themselves. */
export class KuboDagIndex implements DagIndex, ProvideQueue {
  readonly blocks: KuboBlocks
  readonly queue: ProvideTable
  readonly held: HeldDags
  readonly #nodes: KuboNodes
  readonly #leftOvers: LeftOvers

  private constructor(database: Database, nodes: KuboNodes, held: HeldDags, leftOvers: LeftOvers) {
    this.blocks = new KuboBlocks(nodes)
    this.queue = new ProvideTable(database)
    this.held = held
    this.#nodes = nodes
    this.#leftOvers = leftOvers
  }

  /** @param database the local one. @throws StorageFailedError */
  static async open(database: Database, nodes: KuboNodes): Promise<KuboDagIndex> {
    await database.migrate('ipfs', [BLOCK_TABLES + PROVIDE_TABLES])
    return new KuboDagIndex(database, nodes, await HeldDags.open(database, nodes), await LeftOvers.open(database, nodes))
  }

  async file(path: string, { content, signal }: FileOptions = {}): Promise<CID> {
    signal?.throwIfAborted()
    const at = await this.#nodes.stat(path, { signal })
    // What is there already stays as it is, in whatever layout.
    if (at === undefined && content !== undefined) return layoutFile(chunkHashesOf(content), content.length).root
    if (at === undefined || at.found.directory) throw new ObjectUnknownError(path)
    const { node, found } = at
    try {
      if ((await profileHashes(node, found.cid, found.size, { signal })) !== undefined) return found.cid
      return (await this.held.ofProfile(node, path, found.cid, { signal })) ?? (await this.#addAgain(path, node, found, { signal }))
    } catch (error) {
      signal?.throwIfAborted()
      throw failed(error)
    }
  }

  async addTree(tree: Tree, options: AbortOptions = {}): Promise<CID> {
    options.signal?.throwIfAborted()
    const { root, blocks } = layoutTree(tree)
    try {
      await this.#nodes.nodeOf(repositoryOf(root)).importCar(encodeCar(root, blocks), options)
    } catch (error) {
      options.signal?.throwIfAborted()
      throw failed(error)
    }
    return root
  }

  provide(roots: readonly CID[], options?: AbortOptions): Promise<void> {
    return this.queue.add(roots, options)
  }

  /** Lets go of the DAGs that are held for what is no more, or were not finished. @returns how many */
  async clean({ patience = UNFINISHED_TIME, signal }: AbortOptions & { readonly patience?: number | undefined } = {}): Promise<number> {
    const unfinished = await this.#leftOvers.remove(DAGS, { isForNobody: ({ name }) => name.startsWith(MAKING), patience, signal })
    return unfinished + (await this.held.clean(patience, { signal }))
  }

  /** The object stays what it is, as others may name it by the CID that it has; its DAG of the profile is held beside. */
  async #addAgain(path: string, node: KuboNode, { cid }: MfsStat, options: AbortOptions): Promise<CID> {
    await node.makeDirectory(DAGS, options)
    // Under a name of its own until its CID is known.
    const making = `${DAGS}/${MAKING}${randomUUID()}`
    try {
      const root = await node.add(node.read(mfsPath(path), options), { toFiles: making, signal: options.signal })
      await this.held.hold({ node, root, path, cid }, options)
      return root
    } finally {
      // What can't be removed now is later.
      await node.remove(making).catch(() => {})
    }
  }
}
