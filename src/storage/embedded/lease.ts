import { randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { UploadBusyError, UploadUnknownError } from '../errors.ts'
import type { Database, WriteOptions } from './database.ts'
import type { Statement } from './statement.ts'

/** How long a lease holds unless it is renewed, in milliseconds: what a holder that cannot be looked at costs at most. */
const DURATION = 60_000
const RENEWAL = 15_000

/**
 * The right to work on an upload, held in its row, so that it counts in every process. The holder says which process of
 * which boot it is: a lease of a process that is dead is broken at once.
 */
export class Lease {
  /** Who had it before. The same as one's own last lease: nobody else has been at the upload in between. */
  readonly previous: string | undefined
  readonly holder: string
  readonly #database: Database
  readonly #id: string
  readonly #timer: NodeJS.Timeout
  #until: number

  private constructor(database: Database, id: string, holder: string, previous: string | undefined, until: number) {
    this.#database = database
    this.#id = id
    this.holder = holder
    this.previous = previous
    this.#until = until
    this.#timer = setInterval(() => void this.#renew(), RENEWAL).unref()
  }

  /** @throws UploadUnknownError, UploadBusyError */
  static async take(database: Database, id: string, options: Pick<WriteOptions, 'freeing'> = {}): Promise<Lease> {
    const row = database.get<LeaseRow>('SELECT holder, held_until AS until FROM uploads WHERE id = ?', id)
    if (row === undefined) throw new UploadUnknownError(id)
    if (isHeld(row)) throw new UploadBusyError(id)
    const holder = `${SELF}/${randomBytes(8).toString('hex')}`
    const until = Date.now() + DURATION
    await database.write([
      { sql: 'UPDATE uploads SET holder = ?, held_until = ? WHERE id = ? AND holder IS ? AND held_until = ?', params: [holder, until, id, row.holder, row.until] },
      { sql: 'SELECT holder FROM uploads WHERE id = ?', params: [id], expect: [holder], otherwise: new UploadBusyError(id) },
    ], { ...options, durable: false })
    return new Lease(database, id, holder, row.holder ?? undefined, until)
  }

  /** Goes first in a write that relies on the lease. */
  get check(): Statement {
    return { sql: 'SELECT holder FROM uploads WHERE id = ?', params: [this.#id], expect: [this.holder], otherwise: new UploadBusyError(this.#id) }
  }

  /** Before touching the file: whoever was stopped for long must not write into what is another's by now. */
  assertHeld(): void {
    if (Date.now() > this.#until) throw new UploadBusyError(this.#id)
  }

  /** Ends a write that was the last one. */
  get end(): Statement {
    return { sql: 'UPDATE uploads SET held_until = 0 WHERE id = ? AND holder = ?', params: [this.#id, this.holder] }
  }

  /** Gives it back, if `end` has not yet. What fails here is no reason for the caller to fail: a lease runs out. */
  async release(): Promise<void> {
    clearInterval(this.#timer)
    try {
      const row = this.#database.get<LeaseRow>('SELECT holder, held_until AS until FROM uploads WHERE id = ?', this.#id)
      if (row?.holder === this.holder && row.until !== 0) await this.#database.write([this.end], { durable: false })
    } catch {}
  }

  async #renew(): Promise<void> {
    const until = Date.now() + DURATION
    try {
      await this.#database.write([
        this.check,
        // Not one that has been given back while this was on its way.
        { sql: 'UPDATE uploads SET held_until = ? WHERE id = ? AND holder = ? AND held_until <> 0', params: [until, this.#id, this.holder] },
      ], { durable: false })
      this.#until = until
    } catch {
      // Lost, or not renewable: it runs out, and assertHeld says so.
    }
  }
}

export interface LeaseRow {
  readonly holder: string | null
  readonly until: number
}

/** Whether somebody who may be alive holds the lease. */
export function isHeld({ holder, until }: LeaseRow): boolean {
  if (holder === null || until < Date.now()) return false
  const [boot, space, pid] = holder.split('/')
  const [ownBoot, ownSpace] = SPACE.split('/')
  if (boot !== ownBoot) return false
  // In another container the number means another process: only time tells.
  if (space !== ownSpace) return true
  return holder.startsWith(`${processIdentity(Number(pid))}/`)
}

/** Boot, namespace of process numbers, number and start of a process: no two have ever had the same. */
function processIdentity(pid: number): string {
  return `${SPACE}/${pid}/${orElse(() => startOf(pid), isAlive(pid) ? 'alive' : 'dead')}`
}

/**
 * proc_pid_stat(5): field 22, the start in clock ticks after boot; the name in field 2 may have blanks and brackets. A
 * zombie (field 3) is dead: only its parent has not looked yet, and in a container that may take for ever.
 */
function startOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? 'dead' : (fields[19] ?? '')
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function orElse(read: () => string, otherwise: string): string {
  try {
    return read()
  } catch {
    return otherwise
  }
}

/** Where this process's number means anything: this boot, and this namespace of process numbers. */
const SPACE: string = [
  orElse(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(), 'boot'),
  orElse(() => readlinkSync('/proc/self/ns/pid'), 'space'),
].join('/')
const SELF: string = processIdentity(process.pid)
