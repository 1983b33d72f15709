import { CID } from 'multiformats/cid'
import type { Database } from '../../../storage/embedded/database.ts'
import type { AbortOptions } from '../../../storage/object-store.ts'
import type { KuboNode } from '../nodes/node.ts'
import { mfsPath, type KuboNodes } from '../nodes/nodes.ts'

/** Where in MFS they are, by their CID. */
export const DAGS = '/disco/dags'

/** What is at `path` has the DAG `root` as well, held at `node`; `cid`: what it is there as, where `root` is its DAG of the profile. */
const TABLES = `
  CREATE TABLE kubo_held_dag (
    path TEXT NOT NULL, root BLOB NOT NULL, node TEXT NOT NULL, cid BLOB, since INTEGER NOT NULL,
    PRIMARY KEY (path, root, node)
  ) WITHOUT ROWID;
  CREATE INDEX kubo_held_dag_root ON kubo_held_dag (root, node);`

interface Row {
  readonly path: string
  readonly root: Uint8Array
  readonly node: string
  /** In milliseconds since the epoch. */
  readonly since: number
}

export interface HeldDag {
  readonly node: KuboNode
  readonly root: CID
  /** Of an object, or of a repository's directory. */
  readonly path: string
  /** Where the root is the object's DAG of the profile: what it is at its path as. */
  readonly cid?: CID | undefined
}

/** Rows looked at together. */
const PAGE = 200

/** DAGs of which nothing but their CID is asked: other layouts of what is at a path, for as long as something is there. */
export class HeldDags {
  readonly #database: Database
  readonly #nodes: KuboNodes

  private constructor(database: Database, nodes: KuboNodes) {
    this.#database = database
    this.#nodes = nodes
  }

  /** @throws StorageFailedError */
  static async open(database: Database, nodes: KuboNodes): Promise<HeldDags> {
    await database.migrate('kubo-held-dags', [TABLES])
    return new HeldDags(database, nodes)
  }

  /** Holds a DAG that the node has. What is to be at its path may be committed later. @throws KuboDownError, KuboRefusedError, StorageFailedError */
  async hold({ node, root, path, cid }: HeldDag, options: AbortOptions = {}): Promise<void> {
    const row = [path, root.bytes, node.name, cid?.bytes ?? null, Date.now()]
    await this.#database.write([{ sql: 'INSERT OR REPLACE INTO kubo_held_dag VALUES (?, ?, ?, ?, ?)', params: row }], options)
    if (await node.stat(placeOf(root), options) === undefined) await node.link(root, placeOf(root), { ...options, flush: true })
  }

  /** The object's DAG of the profile, where the node holds it beside. */
  async ofProfile(node: KuboNode, path: string, cid: CID, options: AbortOptions = {}): Promise<CID | undefined> {
    const row = this.#database.get<Row>('SELECT root FROM kubo_held_dag WHERE path = ? AND cid = ? AND node = ?', path, cid.bytes, node.name)
    if (row === undefined) return undefined
    const root = CID.decode(row.root)
    return await node.stat(placeOf(root), options) === undefined ? undefined : root
  }

  /** Lets go of those for which nothing is there. @param patience milliseconds for which it may still be on its way. @returns how many */
  async clean(patience: number, options: AbortOptions = {}): Promise<number> {
    const latest = Date.now() - patience
    let gone = 0
    let after: Pick<Row, 'path' | 'root' | 'node'> = { path: '', root: new Uint8Array(), node: '' }
    for (;;) {
      const sql = 'SELECT path, root, node, since FROM kubo_held_dag WHERE (path, root, node) > (?, ?, ?) ORDER BY path, root, node LIMIT ?'
      const rows = this.#database.all<Row>(sql, after.path, after.root, after.node, PAGE)
      for (const row of rows) if (row.since <= latest && (await this.#letGoUnlessThere(row, options))) gone++
      after = rows.at(-1) ?? after
      if (rows.length < PAGE) return gone
    }
  }

  async #letGoUnlessThere({ path, root, node: name, since }: Row, options: AbortOptions): Promise<boolean> {
    const node = this.#nodes.all.find((one) => one.name === name)
    if (node === undefined || (await this.#nodes.find(path, (one) => one.stat(mfsPath(path), options), options)) !== undefined) return false
    // The same bytes may have two digests.
    const other = this.#database.get('SELECT path FROM kubo_held_dag WHERE root = ? AND node = ? AND path <> ?', root, name, path)
    if (other === undefined) await node.remove(placeOf(CID.decode(root)), options)
    await this.#database.write([{ sql: 'DELETE FROM kubo_held_dag WHERE path = ? AND root = ? AND node = ? AND since = ?', params: [path, root, name, since] }], options)
    return true
  }
}

function placeOf(root: CID): string {
  return `${DAGS}/${root}`
}
