import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads'
import type { SqlValue, Statement } from './statement.ts'

export interface WriterStart {
  readonly file: string
  /** In milliseconds. */
  readonly busyTimeout: number
}

export type WriteRequest =
  | { readonly id: number; readonly durable: boolean; readonly statements: readonly Omit<Statement, 'otherwise'>[] }
  | { readonly id: number; readonly migrate: string; readonly steps: readonly string[] }

/** Asks the thread to end, once everything before it is done. */
export type CloseRequest = 'close'

export interface WriteOutcome {
  readonly id: number
  /** The first of those that shared a commit. */
  readonly leads?: boolean
  /** Index of the statement whose expectation did not hold. */
  readonly unexpected?: number
  readonly error?: Error
  /** Nothing was written, for want of room. */
  readonly full?: boolean
}

/** Writes that share a commit, at most. */
const GROUP = 256
/** Pages after which the log goes back into the database, and bytes that the log's file keeps then. */
const CHECKPOINT_PAGES = 512
const LOG_BYTES = 2 * 1024 * 1024

class UnexpectedError extends Error {
  readonly index: number

  constructor(index: number) {
    super('unexpected')
    this.index = index
  }
}

/** The thread in which one process writes to its database. */
class Writer {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  #durable = true

  constructor({ file, busyTimeout }: WriterStart) {
    this.#database = new DatabaseSync(file, { timeout: busyTimeout })
    enterWal(this.#database, busyTimeout)
    this.#database.exec(`
      PRAGMA synchronous = FULL;
      PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
      PRAGMA journal_size_limit = ${LOG_BYTES};`)
  }

  /** One transaction for all; each of them fails alone, unless the commit itself does. */
  commit(requests: readonly WriteRequest[]): WriteOutcome[] {
    try {
      this.#synchronize(requests.some((request) => 'migrate' in request || request.durable))
      this.#database.exec('BEGIN IMMEDIATE')
      const outcomes = requests.map((request) => this.#attempt(request))
      this.#database.exec('COMMIT')
      return outcomes
    } catch (cause) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      return requests.map(({ id }) => failed(id, cause))
    }
  }

  close(): void {
    this.#statements.clear()
    this.#database.close()
  }

  /** In WAL mode NORMAL leaves out the fsync of a commit; the next FULL commit makes it durable as well. */
  #synchronize(durable: boolean): void {
    if (durable === this.#durable) return
    this.#database.exec(`PRAGMA synchronous = ${durable ? 'FULL' : 'NORMAL'}`)
    this.#durable = durable
  }

  #attempt(request: WriteRequest): WriteOutcome {
    const { id } = request
    this.#database.exec('SAVEPOINT one')
    try {
      if ('migrate' in request) this.#migrate(request.migrate, request.steps)
      else request.statements.forEach((statement, index) => this.#run(statement, index))
      this.#database.exec('RELEASE one')
      return { id }
    } catch (cause) {
      // A full disk may have rolled all of it back already: then there is no savepoint, and nobody's write has happened.
      if (!this.#database.isTransaction) throw cause
      this.#database.exec('ROLLBACK TO one; RELEASE one')
      return cause instanceof UnexpectedError ? { id, unexpected: cause.index } : failed(id, cause)
    }
  }

  #run({ sql, params = [], expect }: Omit<Statement, 'otherwise'>, index: number): void {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#database.prepare(sql)
      this.#statements.set(sql, statement)
    }
    if (expect === undefined) {
      statement.run(...params)
      return
    }
    const values = statement.all(...params).map((row) => Object.values(row)[0] ?? null)
    if (values.length !== expect.length || !expect.every((value, i) => same(value, values[i]))) throw new UnexpectedError(index)
  }

  #migrate(room: string, steps: readonly string[]): void {
    this.#database.exec('CREATE TABLE IF NOT EXISTS schema (room TEXT PRIMARY KEY, steps INTEGER NOT NULL) WITHOUT ROWID')
    const row = this.#database.prepare('SELECT steps FROM schema WHERE room = ?').get(room)
    for (const step of steps.slice(Number(row?.['steps'] ?? 0))) this.#database.exec(step)
    this.#database.prepare('INSERT INTO schema VALUES (?, ?) ON CONFLICT DO UPDATE SET steps = max(steps, excluded.steps)').run(room, steps.length)
  }
}

/** https://sqlite.org/rescode.html: SQLITE_BUSY, SQLITE_LOCKED, SQLITE_FULL */
const WAITABLE: ReadonlySet<number | undefined> = new Set([5, 6])
const FULL = 13

/** SQLite does not wait for others here (it would upgrade a lock), so several processes that open a new file at once must. */
function enterWal(database: DatabaseSync, timeout: number): void {
  const deadline = Date.now() + timeout
  for (;;) {
    try {
      database.exec('PRAGMA journal_mode = WAL')
      return
    } catch (error) {
      if (Date.now() > deadline || !WAITABLE.has(resultOf(error))) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
    }
  }
}

/** Messages between threads keep nothing of an error but its text. */
function failed(id: number, cause: unknown): WriteOutcome {
  return { id, error: toError(cause), full: resultOf(cause) === FULL }
}

/** The primary result code of what SQLite threw: the low byte of an extended one. */
function resultOf(cause: unknown): number | undefined {
  return cause instanceof Error && 'errcode' in cause && typeof cause.errcode === 'number' ? cause.errcode & 0xff : undefined
}

function same(a: SqlValue, b: unknown): boolean {
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0
  if (typeof a === 'bigint') return typeof b === 'number' && BigInt(b) === a
  return a === b
}

function toError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause))
}

function serve(port: MessagePort, writer: Writer): void {
  port.on('message', (first: WriteRequest | CloseRequest) => {
    const waiting = [first]
    while (waiting.length < GROUP) {
      const next = receiveMessageOnPort(port) as { message: WriteRequest | CloseRequest } | undefined
      if (next === undefined) break
      waiting.push(next.message)
    }
    const requests = waiting.filter((request) => request !== 'close')
    if (requests.length > 0) for (const [index, outcome] of writer.commit(requests).entries()) port.postMessage({ ...outcome, leads: index === 0 })
    if (requests.length < waiting.length) {
      writer.close()
      port.close()
    }
  })
  port.postMessage('ready')
}

if (parentPort !== null) serve(parentPort, new Writer(workerData as WriterStart))
