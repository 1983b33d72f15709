import { CID } from 'multiformats/cid'
import type { Database } from '../../../storage/embedded/database.ts'
import type { SqlValue, Statement } from '../../../storage/embedded/statement.ts'
import type { AbortOptions } from '../../../storage/object-store.ts'

/** Of the Pinning Service API; `waiting`: the service has not been told yet. */
export type RemotePinState = 'waiting' | 'queued' | 'pinning' | 'pinned' | 'failed'

/** One image at one service. */
export interface RemotePin {
  /** The image: the root of its repository. */
  readonly image: CID
  readonly service: string
  readonly state: RemotePinState
  /** Why it failed last, in the words of who said it. */
  readonly reason: string | undefined
  /** When that was last heard, in milliseconds since the epoch. */
  readonly at: number
}

/** A pin, and what is to be done about it. */
export interface DuePin extends RemotePin {
  /** The block of a directory that links the repository and every blob: what is pinned. */
  readonly directory: Uint8Array
  /** Failures in a row. */
  readonly failures: number
}

/** What has become of a pin. */
export interface PinOutcome {
  readonly state: RemotePinState
  readonly reason?: string | undefined
  readonly failures: number
  /** When it is looked at again, in milliseconds since the epoch. */
  readonly next: number
}

/** How many images have come how far at a service. */
export interface RemotePinCount {
  readonly service: string
  readonly state: RemotePinState
  readonly images: number
}

/** For who looks whether there is one. */
export const PINS_TABLE = 'kubo_remote_pin'

const TABLES = `
  CREATE TABLE kubo_remote_pin (
    image BLOB NOT NULL,
    service TEXT NOT NULL,
    directory BLOB NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    at INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    next INTEGER NOT NULL,
    PRIMARY KEY (image, service)
  ) WITHOUT ROWID;
  CREATE INDEX kubo_remote_pin_next ON kubo_remote_pin (next);`

interface Row extends Omit<DuePin, 'image'> {
  readonly image: Uint8Array
}

const COLUMNS = 'image, service, state, reason, at'

/** Which images are pinned where, and how far that has come. */
export class RemotePinTable {
  readonly #database: Database

  private constructor(database: Database) {
    this.#database = database
  }

  static async open(database: Database): Promise<RemotePinTable> {
    await database.migrate('kubo-remote-pins', [TABLES])
    return new RemotePinTable(database)
  }

  /** Notes what is to be pinned; what is noted already stays as it is. */
  async add(image: CID, directory: Uint8Array, services: readonly string[], options?: AbortOptions): Promise<void> {
    await this.#database.write(services.map((service): Statement => ({
      sql: `INSERT OR IGNORE INTO kubo_remote_pin VALUES (?, ?, ?, 'waiting', NULL, ?, 0, 0)`,
      params: [image.bytes, service, directory, Date.now()],
    })), options)
  }

  /** Those to be looked at by now, the most urgent first. */
  due(services: readonly string[], now: number, limit: number): DuePin[] {
    const places = services.map(() => '?').join(', ')
    const sql = `SELECT ${COLUMNS}, directory, failures FROM kubo_remote_pin WHERE next <= ? AND service IN (${places}) ORDER BY next LIMIT ?`
    return this.#database.all<Row>(sql, now, ...services, limit).map((row) => ({ ...row, image: CID.decode(row.image), reason: row.reason ?? undefined }))
  }

  async note({ image, service }: RemotePin, { state, reason, failures, next }: PinOutcome, options?: AbortOptions): Promise<void> {
    const sql = 'UPDATE kubo_remote_pin SET state = ?, reason = ?, at = ?, failures = ?, next = ? WHERE image = ? AND service = ?'
    await this.#database.write([{ sql, params: [state, reason ?? null, Date.now(), failures, next, image.bytes, service] }], options)
  }

  async remove({ image, service }: RemotePin, options?: AbortOptions): Promise<void> {
    await this.#database.write([{ sql: 'DELETE FROM kubo_remote_pin WHERE image = ? AND service = ?', params: [image.bytes, service] }], options)
  }

  counts(): RemotePinCount[] {
    return this.#database.all<RemotePinCount>('SELECT service, state, count(*) AS images FROM kubo_remote_pin GROUP BY service, state')
  }

  /** All of them, in the order of their images. */
  list(): RemotePin[] {
    return this.#database.all<Row>(`SELECT ${COLUMNS} FROM kubo_remote_pin ORDER BY image, service`).map(pinOf)
  }
}

/** Those of an image, by its CID. */
export function readRemotePins(database: { all<Row extends object>(sql: string, ...params: SqlValue[]): Row[] }, image: string): RemotePin[] {
  return database.all<Row>(`SELECT ${COLUMNS} FROM kubo_remote_pin WHERE image = ? ORDER BY service`, CID.parse(image).bytes).map(pinOf)
}

function pinOf({ image, service, state, reason, at }: Row): RemotePin {
  return { image: CID.decode(image), service, state, reason: reason ?? undefined, at }
}
