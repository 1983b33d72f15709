import { randomUUID } from 'node:crypto'
import { CID } from 'multiformats/cid'
import type { Database } from '../../../storage/embedded/database.ts'
import { ObjectUnknownError } from '../../../storage/errors.ts'
import type { AbortOptions } from '../../../storage/object-store.ts'
import { encodeCar } from '../../car.ts'
import { BLOCK_TABLES } from '../../embedded/block-table.ts'
import { PROVIDE_TABLES, ProvideTable } from '../../embedded/provide-table.ts'
import type { DagIndex, FileOptions, ProvideQueue, Tree } from '../../node.ts'
import type { Block } from '../../unixfs/block.ts'
import { chunkHashesOf, layoutFile } from '../../unixfs/file-layout.ts'
import { layoutTree } from '../../unixfs/tree-layout.ts'
import { KuboBlocks } from './blocks.ts'
import { LeftOvers } from '../nodes/left-overs.ts'
import type { KuboNode, MfsStat } from '../nodes/node.ts'
import { failed, mfsPath, type KuboNodes } from '../nodes/nodes.ts'
import { profileHashes } from './profile.ts'

/** Where in MFS DAGs are held of which nothing but their CID is asked: those of objects that are there in another layout. */
const DAGS = '/disco/dags'
const MAKING = 'making-'
/** Milliseconds after which what was being made there will not be finished. */
const MAKING_TIME = 60 * 60 * 1000

/** `path`: the object; `cid`: what it is there as; `root`: its DAG of the profile, held at `node`. */
const DAG_TABLES = `
  CREATE TABLE kubo_dag (path TEXT PRIMARY KEY NOT NULL, cid BLOB NOT NULL, root BLOB NOT NULL, node TEXT NOT NULL) WITHOUT ROWID;`

interface DagRow {
  readonly path: string
  readonly cid: Uint8Array
  readonly root: Uint8Array
  readonly node: string
}

/** Objects looked at together. */
const PAGE = 200

/** Stored objects as the nodes have them: what a DAG is made of they know themselves. */
export class KuboDagIndex implements DagIndex, ProvideQueue {
  readonly blocks: KuboBlocks
  readonly queue: ProvideTable
  readonly #database: Database
  readonly #nodes: KuboNodes
  readonly #leftOvers: LeftOvers

  private constructor(database: Database, nodes: KuboNodes, leftOvers: LeftOvers) {
    this.blocks = new KuboBlocks(nodes)
    this.queue = new ProvideTable(database)
    this.#database = database
    this.#nodes = nodes
    this.#leftOvers = leftOvers
  }

  /** @param database the local one. @throws StorageFailedError */
  static async open(database: Database, nodes: KuboNodes): Promise<KuboDagIndex> {
    await database.migrate('ipfs', [BLOCK_TABLES + PROVIDE_TABLES])
    await database.migrate('kubo-dags', [DAG_TABLES])
    return new KuboDagIndex(database, nodes, await LeftOvers.open(database, nodes))
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
      return (await this.#known(path, node, found, { signal })) ?? (await this.#addAgain(path, node, found, { signal }))
    } catch (error) {
      signal?.throwIfAborted()
      throw failed(error)
    }
  }

  async addTree(tree: Tree, options: AbortOptions = {}): Promise<CID> {
    options.signal?.throwIfAborted()
    const { root, blocks } = layoutTree(tree)
    try {
      await this.#nodes.nodeOf(`docker/registry/v2/repositories/${root}`).importCar(encodeCar(root, each(blocks)), options)
    } catch (error) {
      options.signal?.throwIfAborted()
      throw failed(error)
    }
    return root
  }

  provide(roots: readonly CID[], options?: AbortOptions): Promise<void> {
    return this.queue.add(roots, options)
  }

  /** Lets go of the DAGs that were made for objects that are no more, or were not finished. @returns how many */
  async clean(options: AbortOptions & { readonly patience?: number | undefined } = {}): Promise<number> {
    const { signal, patience = MAKING_TIME } = options
    let gone = await this.#leftOvers.remove(DAGS, { isForNobody: ({ name }) => name.startsWith(MAKING), patience, signal })
    let after = ''
    for (;;) {
      const rows = this.#database.all<DagRow>('SELECT path, cid, root, node FROM kubo_dag WHERE path > ? ORDER BY path LIMIT ?', after, PAGE)
      for (const row of rows) if (await this.#forgetUnlessThere(row, options)) gone++
      after = rows.at(-1)?.path ?? after
      if (rows.length < PAGE) return gone
    }
  }

  /** What was laid out before, and is still held. */
  async #known(path: string, node: KuboNode, { cid }: MfsStat, options: AbortOptions): Promise<CID | undefined> {
    const row = this.#database.get<DagRow>('SELECT path, cid, root, node FROM kubo_dag WHERE path = ? AND cid = ? AND node = ?', path, cid.bytes, node.name)
    if (row === undefined) return undefined
    const root = CID.decode(row.root)
    return (await node.stat(heldAt(root), options)) === undefined ? undefined : root
  }

  /** The object stays what it is, as others may name it by the CID that it has; its DAG of the profile is held beside. */
  async #addAgain(path: string, node: KuboNode, { cid }: MfsStat, options: AbortOptions): Promise<CID> {
    await node.makeDirectory(DAGS, options)
    // Under a name of its own until its CID is known.
    const making = `${DAGS}/${MAKING}${randomUUID()}`
    try {
      const root = await node.add(node.read(mfsPath(path), options), { toFiles: making, signal: options.signal })
      await node.link(root, heldAt(root), { ...options, force: true, flush: true })
      await this.#database.write([{ sql: 'INSERT OR REPLACE INTO kubo_dag VALUES (?, ?, ?, ?)', params: [path, cid.bytes, root.bytes, node.name] }], options)
      return root
    } finally {
      // What can't be removed now is later.
      await node.remove(making).catch(() => {})
    }
  }

  async #forgetUnlessThere({ path, root, node: name }: DagRow, options: AbortOptions): Promise<boolean> {
    const node = this.#nodes.all.find((one) => one.name === name)
    if (node === undefined || (await this.#nodes.stat(path, options)) !== undefined) return false
    // The same bytes may have two digests.
    const other = this.#database.get('SELECT path FROM kubo_dag WHERE root = ? AND node = ? AND path <> ?', root, name, path)
    if (other === undefined) await node.remove(heldAt(CID.decode(root)), options)
    await this.#database.write([{ sql: 'DELETE FROM kubo_dag WHERE path = ?', params: [path] }], options)
    return true
  }
}

function heldAt(root: CID): string {
  return `${DAGS}/${root}`
}

async function* each(blocks: Iterable<Block>): AsyncGenerator<Block> {
  yield* blocks
}
