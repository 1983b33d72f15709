import { open } from 'node:fs/promises'
import { extname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import { StorageFailedError } from '../errors.ts'
import { storing } from '../files/medium.ts'
import { Reserve } from '../files/reserve.ts'
import type { AbortOptions } from '../object-store.ts'
import { threadFlags } from '../thread-flags.ts'
import type { CloseRequest, WriteOutcome, WriteRequest, WriterStart } from './database-writer.ts'
import type { SqlValue, Statement } from './statement.ts'

export interface WriteOptions extends AbortOptions {
  /** False for what a power loss may take: seen by everyone at once, but not waited for to reach the disk. @default true */
  readonly durable?: boolean
  /** What this write is for gives room: on a full medium it may have the room that is kept for that. @default false */
  readonly freeing?: boolean
}

/** Its name in a data directory. */
export const DATABASE_FILE: string = 'disco.db'
/** How long a connection waits for another process that holds a lock, in milliseconds. */
const BUSY_TIMEOUT = 30_000
const NOW: Promise<void> = Promise.resolve()

type Unnumbered = WriteRequest extends infer Request ? (Request extends unknown ? Omit<Request, 'id'> : never) : never

interface Pending {
  readonly statements: readonly Statement[]
  readonly resolve: () => void
  readonly reject: (reason: Error) => void
}

/**
 * One SQLite file, in WAL mode. Reads are synchronous on the calling thread (a page of the cache, no fsync); writes go
 * to a thread of their own, where those that wait share one commit. Any number of processes may have it open.
 */
export class Database {
  readonly #reader: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #writer: Worker
  readonly #reserve: Reserve
  /** Nothing is made in the directory once `close` has resolved. */
  #holding: Promise<void> = Promise.resolve()
  readonly #pending = new Map<number, Pending>()
  #next = 0
  #commits = 0
  #settled = 0
  #failure: Error | undefined
  #snapshot = false
  #gathering: Promise<void> | undefined

  private constructor(reader: DatabaseSync, writer: Worker, reserve: Reserve) {
    this.#reader = reader
    this.#writer = writer
    this.#reserve = reserve
    writer.on('message', (outcome: WriteOutcome) => this.#settle(outcome))
    writer.on('error', (cause) => this.#fail(new StorageFailedError('the database writer failed', { cause })))
    writer.on('exit', () => this.#fail(new StorageFailedError('the database is closed')))
    writer.unref()
  }

  /** Opens the file and creates it where there is none, for its owner alone. @throws StorageFailedError */
  static async open(file: string): Promise<Database> {
    await storing(file, () => createPrivate(file))
    const start: WriterStart = { file, busyTimeout: BUSY_TIMEOUT }
    const writer = new Worker(new URL(`./database-writer${extname(import.meta.url)}`, import.meta.url), {
      workerData: start,
      execArgv: threadFlags(),
    })
    try {
      await new Promise((resolve, reject) => {
        writer.once('message', resolve)
        writer.once('error', reject)
      })
      const reader = new DatabaseSync(file, { timeout: BUSY_TIMEOUT })
      reader.exec('PRAGMA query_only = ON')
      const reserve = new Reserve(`${file}-reserve`)
      await reserve.hold()
      return new Database(reader, writer, reserve)
    } catch (cause) {
      await writer.terminate()
      throw new StorageFailedError(`cannot open ${file}: ${(cause as Error).message}`, { cause })
    }
  }

  /**
   * Brings the tables of one room up to date: `steps` are SQL scripts, of which those that the file has not seen yet are
   * executed, once and for all, in one transaction. Append to the list; never change a step that has been released.
   */
  async migrate(room: string, steps: readonly string[]): Promise<void> {
    await this.#send({ migrate: room, steps }, [])
  }

  /**
   * Resolves when all requests that this turn of the event loop brings have come: what they read next they read under one
   * lock, which is taken after the last of them, so that each sees what was committed before it came.
   */
  gathered(): Promise<void> {
    if (this.#snapshot) return NOW
    return (this.#gathering ??= new Promise((resolve) => setImmediate(() => {
      this.#gathering = undefined
      resolve()
    })))
  }

  /** The first row, or undefined. Sees every write that any process has committed. @throws StorageFailedError */
  get<Row extends object>(sql: string, ...params: SqlValue[]): Row | undefined {
    return this.#read(sql, (statement) => statement.get(...params)) as Row | undefined
  }

  /** All rows: bound them with LIMIT. @throws StorageFailedError */
  all<Row extends object>(sql: string, ...params: SqlValue[]): Row[] {
    return this.#read(sql, (statement) => statement.all(...params)) as Row[]
  }

  /**
   * All statements in one transaction, durable when the promise resolves. The signal keeps a write from being begun; one
   * that is under way is waited for, so that its outcome is known.
   *
   * @throws Statement.otherwise of the first expectation that does not hold
   * @throws StorageFailedError
   */
  async write(statements: readonly Statement[], options: WriteOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    const request = { durable: options.durable ?? true, statements: statements.map(portable) }
    const send = (): Promise<void> => this.#send(request, statements)
    if (options.freeing !== true) return send()
    await this.#reserve.lend(send)
    this.#holding = this.#holding.then(() => this.#reserve.hold())
    await this.#holding
  }

  /** Since it was opened: writes that have come to their end, commits that they shared; and writes that wait. */
  get load(): { readonly writes: number; readonly commits: number; readonly waiting: number } {
    return { writes: this.#settled, commits: this.#commits, waiting: this.#pending.size }
  }

  /** Bytes of the file. @throws StorageFailedError */
  get size(): number {
    const { bytes = 0 } = this.get<{ bytes: number }>('SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size') ?? {}
    return bytes
  }

  /** Waits for the writes under way. Safe to repeat. */
  async close(): Promise<void> {
    if (this.#failure === undefined) {
      this.#writer.ref()
      const exit = new Promise((resolve) => this.#writer.once('exit', resolve))
      this.#writer.postMessage('close' satisfies CloseRequest)
      await exit
    }
    await this.#holding
    this.#endSnapshot()
    this.#statements.clear()
    if (this.#reader.isOpen) this.#reader.close()
  }

  #send(request: Unnumbered, statements: readonly Statement[]): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const id = this.#next++
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { statements, resolve, reject })
      this.#writer.ref()
      this.#writer.postMessage({ ...request, id })
    })
  }

  #settle(outcome: WriteOutcome): void {
    const pending = this.#pending.get(outcome.id)
    if (pending === undefined) return
    this.#pending.delete(outcome.id)
    this.#endSnapshot()
    this.#settled++
    if (outcome.leads === true) this.#commits++
    if (this.#pending.size === 0) this.#writer.unref()
    if (outcome.unexpected !== undefined) {
      pending.reject(pending.statements[outcome.unexpected]?.otherwise ?? new Error('an expectation of the write does not hold'))
    } else if (outcome.error !== undefined) {
      const cause = outcome.full === true ? Object.assign(outcome.error, { code: 'ENOSPC' }) : outcome.error
      pending.reject(new StorageFailedError(`the database could not be written: ${cause.message}`, { cause }))
    } else {
      pending.resolve()
    }
  }

  #fail(reason: Error): void {
    this.#failure ??= reason
    for (const pending of this.#pending.values()) pending.reject(reason)
    this.#pending.clear()
  }

  #read<T>(sql: string, run: (statement: StatementSync) => T): T {
    try {
      this.#beginSnapshot()
      return run(this.#statement(sql))
    } catch (cause) {
      throw new StorageFailedError(`the database could not be read: ${(cause as Error).message}`, { cause })
    }
  }

  /**
   * What one turn of the event loop reads it reads under one lock: taking it costs twice what the reading does. The next
   * turn, and whoever has waited for a write, sees what was committed by then.
   */
  #beginSnapshot(): void {
    if (this.#snapshot) return
    this.#statement('BEGIN').run()
    this.#snapshot = true
    process.nextTick(() => this.#endSnapshot())
  }

  #endSnapshot(): void {
    if (!this.#snapshot) return
    this.#snapshot = false
    try {
      this.#statement('COMMIT').run()
    } catch {
      // Nothing was written, and what is wrong with the file the next read tells, which can be answered for.
    }
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const statement = this.#reader.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }
}

/**
 * The files beside it get its mode from SQLite. Never opened where it is there: closing it would end the locks that
 * another connection of this process has on it.
 */
async function createPrivate(file: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return undefined
    throw error
  })
  await handle?.close()
}

/** Errors stay here, and bytes go over alone: a clone of a small Buffer would take the whole of its pool along. */
function portable({ sql, params = [], expect }: Statement): Omit<Statement, 'otherwise'> {
  const own = (value: SqlValue): SqlValue => (value instanceof Uint8Array ? new Uint8Array(value) : value)
  return { sql, params: params.map(own), ...(expect === undefined ? {} : { expect: expect.map(own) }) }
}
