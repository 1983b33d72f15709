import { CID } from 'multiformats/cid'
import type { Digest, DigestAlgorithm } from '../../../oci/digest.ts'
import type { Database } from '../../../storage/embedded/database.ts'
import type { Statement } from '../../../storage/embedded/statement.ts'
import type { AbortOptions, UploadStat } from '../../../storage/object-store.ts'

/** A blob that a node has, and of which nothing is here. */
export interface AdoptedBlob {
  /** Of whatever layout. */
  readonly cid: CID
  /** In bytes. */
  readonly size: number
  /** What its bytes were found to hash to. */
  readonly digest: Digest
  /** Where the object goes once it is committed: the node that this routes to has the blob, whole. */
  readonly path: string
  /** The repository that the upload is named after. */
  readonly repository: string
}

export const ADOPTED_TABLES = `
  CREATE TABLE kubo_adopted (
    id TEXT PRIMARY KEY NOT NULL,
    repository TEXT NOT NULL,
    cid BLOB NOT NULL,
    size INTEGER NOT NULL,
    algorithm TEXT NOT NULL,
    hex TEXT NOT NULL,
    path TEXT NOT NULL,
    modified_at INTEGER NOT NULL
  ) WITHOUT ROWID;`

interface AdoptedRow extends UploadStat {
  readonly cid: Uint8Array
  readonly algorithm: DigestAlgorithm
  readonly hex: string
  readonly path: string
}

const COLUMNS = 'id, repository, cid, size, algorithm, hex, path, modified_at AS modifiedAt'

/** The uploads that have no bytes here. */
export class AdoptedUploads {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** @throws Error when the id is taken */
  async add(id: string, { cid, size, digest, path, repository }: AdoptedBlob, options?: AbortOptions): Promise<void> {
    const taken = new Error(`upload ${id} exists`)
    await this.#database.write([
      { sql: 'SELECT id FROM uploads WHERE id = ?', params: [id], expect: [], otherwise: taken },
      { sql: 'SELECT id FROM kubo_adopted WHERE id = ?', params: [id], expect: [], otherwise: taken },
      {
        sql: 'INSERT INTO kubo_adopted VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
        params: [id, repository, cid.bytes, size, digest.algorithm, digest.hex, path, Date.now()],
      },
    ], options)
  }

  get(id: string): (AdoptedBlob & UploadStat) | undefined {
    const row = this.#database.get<AdoptedRow>(`SELECT ${COLUMNS} FROM kubo_adopted WHERE id = ?`, id)
    return row && { ...statOf(row), path: row.path, cid: CID.decode(row.cid), digest: { algorithm: row.algorithm, hex: row.hex } }
  }

  stat(id: string): UploadStat | undefined {
    const row = this.#database.get<AdoptedRow>(`SELECT ${COLUMNS} FROM kubo_adopted WHERE id = ?`, id)
    return row && statOf(row)
  }

  list(after: string, limit: number): UploadStat[] {
    return this.#database.all<AdoptedRow>(`SELECT ${COLUMNS} FROM kubo_adopted WHERE id > ? ORDER BY id LIMIT ?`, after, limit).map(statOf)
  }

  /** Makes it go. */
  gone(id: string): Statement {
    return { sql: 'DELETE FROM kubo_adopted WHERE id = ?', params: [id] }
  }
}

function statOf({ id, repository, size, modifiedAt }: AdoptedRow): UploadStat {
  return { id, repository, size, modifiedAt }
}
