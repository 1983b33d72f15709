import { CID } from 'multiformats/cid'
import type { DatabaseReader } from '../../../storage/embedded/database-reader.ts'
import type { EmbeddedStore } from '../../../storage/embedded/store.ts'
import type { Statement } from '../../../storage/embedded/statement.ts'
import { StorageFailedError } from '../../../storage/errors.ts'
import type { AbortOptions, Change, Expectation, FinishedUpload } from '../../../storage/object-store.ts'
import { KuboChanges, type PlacedBlob } from './changes.ts'
import { TREE, touch, unitOf } from './tree.ts'

/** A commit that is to happen, whatever comes in between. */
export interface Noted {
  readonly id: number
  /** Of MFS. */
  readonly changes: KuboChanges
  /** Of what is local: done when all of MFS is. */
  readonly local: readonly Change[]
  /** That are gone then. */
  readonly uploads: readonly FinishedUpload[]

  /** Whether what is there at a path, or below it, is changed, here or in MFS. */
  concerns(path: string): boolean
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

/** What commits do, in the local database: what who has the lock finds there was cut off. */
export class KuboJournal {
  readonly #local: EmbeddedStore
  readonly #known = new Map<number, Noted>()

  private constructor(local: EmbeddedStore) {
    this.#local = local
  }

  /** @throws StorageFailedError */
  static async open(local: EmbeddedStore): Promise<KuboJournal> {
    await local.database.migrate('kubo-commits', [TABLES])
    return new KuboJournal(local)
  }

  /** From here on it happens. With the lock. @throws ConflictError where what is local is not as expected; StorageFailedError */
  async add(note: Note, expect: readonly Expectation[], options: AbortOptions & { readonly freeing: boolean }): Promise<Noted> {
    const text = JSON.stringify({ ...note, blobs: note.blobs.map(({ path, cid }) => ({ path, cid: cid.toString() })), shared: note.shared.map(written), local: note.local.map(written) })
    await this.#local.commit({ expect }, { ...options, also: [{ sql: 'INSERT INTO kubo_commits (note) VALUES (?)', params: [text] }, ...times(note)] })
    const added = this.pending().at(-1)
    if (added === undefined) throw new StorageFailedError('a commit that was noted is noted no more')
    return added
  }

  /** What has not come to its end, in its order. @throws StorageFailedError */
  pending(): readonly Noted[] {
    const ids = this.#local.database.all<{ id: number }>('SELECT id FROM kubo_commits ORDER BY id').map(({ id }) => id)
    for (const id of this.#known.keys()) if (!ids.includes(id)) this.#known.delete(id)
    return ids.flatMap((id) => this.#note(id) ?? [])
  }

  /** Whether an upload is to become an object yet. @throws StorageFailedError */
  awaits(upload: string): boolean {
    return this.pending().some(({ uploads }) => uploads.some(({ id }) => id === upload))
  }

  /** It has happened: what is local happens too, and the note goes. With the lock. @throws StorageFailedError */
  async end({ id, local, uploads }: Noted, gone: (upload: string) => readonly Statement[]): Promise<void> {
    await this.#local.commit({ changes: local }, {
      also: [...uploads.flatMap((upload) => gone(upload.id)), { sql: 'DELETE FROM kubo_commits WHERE id = ?', params: [id] }],
      // Who deletes on a full medium has had the room for it.
      freeing: true,
    })
  }

  /** It does not happen. With the lock. @throws StorageFailedError */
  async drop({ id }: Noted): Promise<void> {
    await this.#local.database.write([{ sql: 'DELETE FROM kubo_commits WHERE id = ?', params: [id] }], { freeing: true })
  }

  #note(id: number): Noted | undefined {
    const known = this.#known.get(id)
    if (known !== undefined) return known
    const row = this.#local.database.get<Row>('SELECT id, note FROM kubo_commits WHERE id = ?', id)
    if (row === undefined) return undefined
    const read = noted(row)
    this.#known.set(id, read)
    return read
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
  const changes = new KuboChanges(placed, shared.map(read))
  const concerns = (path: string): boolean => changes.concerns(path) || local.some((change) => touch(path, 'put' in change ? change.put : change.delete))
  return { id, changes, local: local.map(read), uploads, concerns }
}

function written(change: Change): Written {
  return 'put' in change ? { put: change.put, data: Buffer.from(change.data).toString('base64') } : change
}

function read(change: Written): Change {
  return 'put' in change ? { put: change.put, data: Buffer.from(change.data, 'base64') } : change
}
