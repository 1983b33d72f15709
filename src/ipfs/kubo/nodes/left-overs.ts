import type { Database } from '../../../storage/embedded/database.ts'
import type { Statement } from '../../../storage/embedded/statement.ts'
import type { AbortOptions } from '../../../storage/object-store.ts'
import type { KuboNode, MfsEntry } from './node.ts'
import type { KuboNodes } from './nodes.ts'

export interface LeftOverRules extends AbortOptions {
  /** Whether nobody is known for whom an entry is. */
  readonly isForNobody: (entry: MfsEntry) => boolean | Promise<boolean>
  /** Milliseconds for which that has to be so, and nothing changed in it: somebody may be about to be known. */
  readonly patience: number
}

const TABLES = `
  CREATE TABLE kubo_left_overs (
    node TEXT NOT NULL, directory TEXT NOT NULL, name TEXT NOT NULL, cid TEXT NOT NULL, since INTEGER NOT NULL,
    PRIMARY KEY (node, directory, name)
  ) WITHOUT ROWID;`

interface Row {
  readonly name: string
  readonly cid: string
  /** In milliseconds since the epoch. */
  readonly since: number
}

/** What stays in directories of MFS for nobody: MFS does not say since when, so that it is remembered when it was seen first. */
export class LeftOvers {
  readonly #database: Database
  readonly #nodes: KuboNodes

  private constructor(database: Database, nodes: KuboNodes) {
    this.#database = database
    this.#nodes = nodes
  }

  /** @throws StorageFailedError */
  static async open(database: Database, nodes: KuboNodes): Promise<LeftOvers> {
    await database.migrate('kubo-left-overs', [TABLES])
    return new LeftOvers(database, nodes)
  }

  /** @returns how many entries of the directory went. @throws after all nodes have been asked: what the first said that could not be */
  async remove(directory: string, rules: LeftOverRules): Promise<number> {
    let gone = 0
    let failure: { readonly reason: unknown } | undefined
    for (const node of this.#nodes.all) {
      rules.signal?.throwIfAborted()
      try {
        gone += await this.#removeAt(node, directory, rules)
      } catch (reason) {
        failure ??= { reason }
      }
    }
    if (failure !== undefined) throw failure.reason
    return gone
  }

  async #removeAt(node: KuboNode, directory: string, { isForNobody, patience, signal }: LeftOverRules): Promise<number> {
    const entries = (await node.list(directory, { signal })) ?? []
    const before = new Map(this.#database.all<Row>('SELECT name, cid, since FROM kubo_left_overs WHERE node = ? AND directory = ?', node.name, directory).map((row) => [row.name, row]))
    const now = Date.now()
    const left: Row[] = []
    let gone = 0
    for (const entry of entries) {
      if (!(await isForNobody(entry))) continue
      const cid = entry.cid.toString()
      const known = before.get(entry.name)
      const row = known?.cid === cid ? known : { name: entry.name, cid, since: now }
      if (now - row.since < patience) left.push(row)
      else {
        await node.remove(`${directory}/${entry.name}`, { signal })
        gone++
      }
    }
    if (left.length !== before.size || left.some((row) => before.get(row.name) !== row)) await this.#remember(node, directory, left)
    return gone
  }

  async #remember(node: KuboNode, directory: string, rows: readonly Row[]): Promise<void> {
    await this.#database.write([
      { sql: 'DELETE FROM kubo_left_overs WHERE node = ? AND directory = ?', params: [node.name, directory] },
      ...rows.map(({ name, cid, since }): Statement => ({ sql: 'INSERT INTO kubo_left_overs VALUES (?, ?, ?, ?, ?)', params: [node.name, directory, name, cid, since] })),
    ])
  }
}
