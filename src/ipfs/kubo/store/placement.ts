import type { Database } from '../../../storage/embedded/database.ts'
import type { AbortOptions } from '../../../storage/object-store.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import type { KuboNode } from '../nodes/node.ts'
import { mfsPath, type KuboNodes } from '../nodes/nodes.ts'
import { REPOSITORIES, TREE } from './tree.ts'

/** `nodes`: their names, in the order by which it is routed. */
const TABLES = 'CREATE TABLE kubo_settled (nodes TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID;'

export interface PlacementParts {
  readonly nodes: KuboNodes
  /** The local one. */
  readonly database: Database
  readonly log: Logger
}

/**
 * Whether each of the nodes has nothing but what routes to it, as it is unless their number or order was changed: from
 * then on one that is down keeps nobody from being told that something is not there that would be on another.
 */
export class Placement {
  readonly #parts: PlacementParts
  readonly #names: string

  private constructor(parts: PlacementParts) {
    this.#parts = parts
    this.#names = parts.nodes.all.map(({ name }) => name).join('\n')
  }

  /** @throws StorageFailedError */
  static async open(parts: PlacementParts): Promise<Placement> {
    await parts.database.migrate('kubo-placement', [TABLES])
    const placement = new Placement(parts)
    parts.nodes.isSettled ||= parts.database.get('SELECT nodes FROM kubo_settled WHERE nodes = ?', placement.#names) !== undefined
    return placement
  }

  /** Looks at the names of all that they have. @throws KuboDownError, KuboRefusedError, StorageFailedError; then all is as before */
  async look(options: AbortOptions = {}): Promise<void> {
    const { nodes, database, log } = this.#parts
    if (nodes.all.length === 1) return
    const astray = (await Promise.all(nodes.all.map((node) => this.#astrayAt(node, options)))).reduce((sum, count) => sum + count, 0)
    if (astray > 0) log.info({ astray }, 'IPFS nodes have what is for others of them: it is found there, and nothing is proven not to be there while one is down')
    const change = astray > 0 ? 'DELETE FROM kubo_settled WHERE nodes = ?' : 'INSERT OR IGNORE INTO kubo_settled VALUES (?)'
    nodes.isSettled = astray === 0
    await database.write([{ sql: change, params: [this.#names] }], options)
  }

  async #astrayAt(node: KuboNode, options: AbortOptions): Promise<number> {
    let astray = 0
    const look = async (directory: string, depth: number): Promise<void> => {
      for (const name of (await node.names(mfsPath(directory), options)) ?? []) {
        const path = `${directory}/${name}`
        if (depth > 0) await look(path, depth - 1)
        else if (this.#parts.nodes.nodeOf(path) !== node) astray++
      }
    }
    await look(REPOSITORIES, 0)
    // By algorithm, and by the first two of the hex.
    await look(`${TREE}/blobs`, 2)
    return astray
  }
}
