import { CID } from 'multiformats/cid'
import type { Database } from '../../storage/embedded/database.ts'
import type { Statement } from '../../storage/embedded/statement.ts'
import type { AbortOptions } from '../../storage/object-store.ts'

/** `at`: when the network last heard of it, in milliseconds since the epoch; 0: never. */
export const PROVIDE_TABLES = `
  CREATE TABLE provide (cid BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX provide_at ON provide (at);`

/** The roots that the network shall hear of, and when it last has. */
export class ProvideTable {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** Adds roots; those that are in already keep their time. */
  async add(roots: readonly CID[], options?: AbortOptions): Promise<void> {
    await this.#database.write(roots.map((cid): Statement => ({ sql: 'INSERT OR IGNORE INTO provide VALUES (?, 0)', params: [cid.bytes] })), options)
  }

  /** Those last provided before `before` (milliseconds since the epoch), the longest ago first. */
  due(before: number, limit: number): CID[] {
    const rows = this.#database.all<{ cid: Uint8Array }>('SELECT cid FROM provide WHERE at < ? ORDER BY at LIMIT ?', before, limit)
    return rows.map(({ cid }) => CID.decode(cid))
  }

  /** How many those are. */
  count(before: number): number {
    return this.#database.get<{ roots: number }>('SELECT count(*) AS roots FROM provide WHERE at < ?', before)?.roots ?? 0
  }

  /** The network has heard of it `at` this time. A power loss may forget it: then it hears again. */
  async provided(root: CID, at: number, options?: AbortOptions): Promise<void> {
    await this.#database.write([{ sql: 'UPDATE provide SET at = ? WHERE cid = ?', params: [at, root.bytes] }], { ...options, durable: false })
  }

  /** What is not here any more is not provided any more. */
  async remove(root: CID, options?: AbortOptions): Promise<void> {
    await this.#database.write([{ sql: 'DELETE FROM provide WHERE cid = ?', params: [root.bytes] }], options)
  }
}
