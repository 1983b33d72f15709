import { CID } from 'multiformats/cid'
import type { DatabaseReader } from '../../../storage/embedded/database-reader.ts'
import type { EmbeddedStore } from '../../../storage/embedded/store.ts'
import type { Statement } from '../../../storage/embedded/statement.ts'
import type { AbortOptions, Change, Expectation, FinishedUpload } from '../../../storage/object-store.ts'
import { KuboChanges, type PlacedBlob } from './changes.ts'
import { TREE, unitOf } from './tree.ts'

/** A commit that is to happen, whatever comes in between. */
export interface Noted {
  readonly id: number
  /** Of MFS. */
  readonly changes: KuboChanges
  /** Of what is local: done when all of MFS is. */
  readonly local: readonly Change[]
  /** That are gone then. */
  readonly uploads: readonly FinishedUpload[]
}

export interface Note {
  readonly blobs: readonly PlacedBlob[]
  readonly shared: readonly Change[]
  readonly local: readonly Change[]
  readonly uploads: readonly FinishedUpload[]
}

interface Row {
  readonly id: number
  readonly note: string
}

type Written = { readonly put: string; readonly data: string } | { readonly delete: string }

/** `kubo_written`: when something was last put below a unit, in milliseconds since the epoch; for all else, when this directory was first used. */
const TABLES = `
  CREATE TABLE kubo_commits (id INTEGER PRIMARY KEY AUTOINCREMENT, note TEXT NOT NULL);
  CREATE TABLE kubo_written (unit TEXT PRIMARY KEY NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO kubo_written VALUES ('${TREE}', unixepoch() * 1000);`

/** What the commit that has the lock does, in the local database: found there by who has the lock, it was cut off. */
export class KuboJournal {
  readonly #local: EmbeddedStore
  #last: Noted | undefined

  private constructor(local: EmbeddedStore) {
    this.#local = local
  }

  /** @throws StorageFailedError */
  static async open(local: EmbeddedStore): Promise<KuboJournal> {
    await local.database.migrate('kubo-commits', [TABLES])
    return new KuboJournal(local)
  }

  /** From here on it happens. With the lock. @throws ConflictError where what is local is not as expected; StorageFailedError */
  async add(note: Note, expect: readonly Expectation[], options: AbortOptions & { readonly freeing: boolean }): Promise<void> {
    const text = JSON.stringify({ ...note, blobs: note.blobs.map(({ path, cid }) => ({ path, cid: cid.toString() })), shared: note.shared.map(written), local: note.local.map(written) })
    await this.#local.commit({ expect }, { ...options, also: [{ sql: 'INSERT INTO kubo_commits (note) VALUES (?)', params: [text] }, ...times(note)] })
  }

  /** @throws StorageFailedError */
  pending(): Noted | undefined {
    const { id } = this.#local.database.get<{ id: number }>('SELECT id FROM kubo_commits LIMIT 1') ?? {}
    if (id === undefined) return undefined
    if (this.#last?.id === id) return this.#last
    const row = this.#local.database.get<Row>('SELECT id, note FROM kubo_commits WHERE id = ?', id)
    return (this.#last = row && noted(row))
  }

  /** It has happened: what is local happens too, and the note goes. With the lock. @throws StorageFailedError */
  async end({ id, local, uploads }: Noted, gone: (upload: string) => readonly Statement[]): Promise<void> {
    await this.#local.commit({ changes: local }, {
      also: [...uploads.flatMap((upload) => gone(upload.id)), { sql: 'DELETE FROM kubo_commits WHERE id = ?', params: [id] }],
      // Who deletes on a full medium has had the room for it.
      freeing: true,
    })
  }

  /** See `writtenAt`. */
  writtenAt(path: string): number {
    return writtenAt(this.#local.database, path)
  }
}

/** When an object was written, in milliseconds since the epoch: MFS doesn't say. At the latest, where others wrote it. */
export function writtenAt(database: Pick<DatabaseReader, 'get'>, path: string): number {
  const sql = 'SELECT at FROM kubo_written WHERE unit IN (?, ?) ORDER BY unit = ? LIMIT 1'
  const { at = 0 } = database.get<{ at: number }>(sql, unitOf(path), TREE, TREE) ?? {}
  return at
}

function times({ blobs, shared }: Note): Statement[] {
  const now = Date.now()
  const units = new Set([...blobs.map(({ path }) => path), ...shared.flatMap((change) => ('put' in change ? [change.put] : []))].map(unitOf))
  return [
    ...shared.flatMap((change) => ('delete' in change && unitOf(change.delete) === change.delete ? [{ sql: 'DELETE FROM kubo_written WHERE unit = ?', params: [change.delete] }] : [])),
    ...[...units].map((unit) => ({ sql: 'INSERT INTO kubo_written VALUES (?, ?) ON CONFLICT DO UPDATE SET at = excluded.at', params: [unit, now] })),
  ]
}

function noted({ id, note }: Row): Noted {
  const { blobs, shared, local, uploads } = JSON.parse(note) as { blobs: { path: string; cid: string }[]; shared: Written[]; local: Written[]; uploads: FinishedUpload[] }
  const placed = blobs.map(({ path, cid }) => ({ path, cid: CID.parse(cid) }))
  return { id, changes: new KuboChanges(placed, shared.map(read)), local: local.map(read), uploads }
}

function written(change: Change): Written {
  return 'put' in change ? { put: change.put, data: Buffer.from(change.data).toString('base64') } : change
}

function read(change: Written): Change {
  return 'put' in change ? { put: change.put, data: Buffer.from(change.data, 'base64') } : change
}
