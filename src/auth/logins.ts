import { hash, randomBytes } from 'node:crypto'
import type { AbortOptions } from '../oci/abort.ts'
import { RegistryError } from '../oci/errors.ts'
import { BcryptThread } from './bcrypt-thread.ts'
import { BoundedMap } from '../oci/bounded-map.ts'
import type { Password } from './credentials.ts'
import { FailedLogins } from './failed-logins.ts'
import type { Notes } from './notes.ts'
import { networkOf } from './network-of.ts'
import { parsePasswordFile, type PasswordFile } from './password-file.ts'
import { WatchedFile } from './watched-file.ts'

export interface LoginsOptions {
  /** An htpasswd file with bcrypt hashes. */
  readonly path: string
  readonly notes: Notes
  /** How often the file is looked at, in milliseconds. @default 1 s */
  readonly interval?: number | undefined
}

interface Attempt {
  readonly user: string
  readonly password: string
  readonly address: string
  /** Of user and password. */
  readonly key: string
  /** The same at the network that it comes from. */
  readonly here: string
}

/** How long a password that was compared is known without comparing it again, in milliseconds. */
const REMEMBERED_FOR = 5 * 60_000
const MAX_REMEMBERED = 4_096
/** bcrypt looks at 72 bytes, and nobody types more than this. */
const MAX_PASSWORD_LENGTH = 4_096

/** The users of an htpasswd file, who log in by their passwords. */
export class Logins {
  readonly #notes: Notes
  readonly #file: WatchedFile<PasswordFile>
  readonly #bcrypt = new BcryptThread()
  readonly #failed = new FailedLogins()
  /** Of this process alone: what is remembered says nothing to anybody who reads its memory's leftovers later. */
  readonly #secret = randomBytes(32).toString('base64')
  /** Apart, so that guesses don't push out who is logged in. */
  readonly #right = new BoundedMap<true>(MAX_REMEMBERED, REMEMBERED_FOR)
  readonly #wrong = new BoundedMap<true>(MAX_REMEMBERED, REMEMBERED_FOR)
  readonly #running = new Map<string, Promise<boolean>>()
  #known: PasswordFile

  private constructor(file: WatchedFile<PasswordFile>, known: PasswordFile, notes: Notes) {
    this.#file = file
    this.#known = known
    this.#notes = notes
  }

  /** @throws AuthFileError when the file is not there or can't be understood */
  static async open({ path, notes, interval }: LoginsOptions): Promise<Logins> {
    const parse = (text: string): PasswordFile => {
      const parsed = parsePasswordFile(text)
      for (const warning of parsed.warnings) notes.warn({ path }, warning)
      return parsed
    }
    const file = new WatchedFile({ path, purpose: 'auth.htpasswd.path', parse, notes, interval })
    return new Logins(file, await file.current(), notes)
  }

  /** Whether the file still has a user who logged in before. */
  async has(user: string): Promise<boolean> {
    return (await this.#current()).hashes.has(user)
  }

  /**
   * Whether it is the user's password. The same wrong one again is no further guess. The right one is remembered where it
   * came from, and does not wait there for what others do; elsewhere it has to, or each guess would be answered at once.
   *
   * @param address of the client
   * @throws RegistryError TOOMANYREQUESTS with `Retry-After`
   */
  async check({ user, password }: Password, address: string, { signal }: AbortOptions = {}): Promise<boolean> {
    const file = await this.#current()
    if (password.length > MAX_PASSWORD_LENGTH) return false
    // Not an HMAC, which takes ten times as long: the secret is of one length, and nobody sees what comes out.
    const key = hash('sha256', this.#secret + JSON.stringify([user, password]), 'base64')
    const here = `${networkOf(address)} ${key}`
    if (this.#right.get(here) === true && !this.#failed.isBesieged(address, user)) return true
    if (this.#wrong.get(key) === true) return false
    const running = this.#running.get(here)
    if (running !== undefined) return running
    signal?.throwIfAborted()
    const wait = this.#failed.wait(address, user)
    if (wait > 0) {
      this.#failed.refuse(address, user)
      const seconds = Math.ceil(wait / 1000)
      throw new RegistryError('TOOMANYREQUESTS', `too many failed logins; try again in ${seconds} s`, { headers: { 'Retry-After': String(seconds) } })
    }
    const compared = this.#compare(file, { user, password, address, key, here }).finally(() => this.#running.delete(here))
    this.#running.set(here, compared)
    return await compared
  }

  async close(): Promise<void> {
    await this.#bcrypt.close()
  }

  async #compare(file: PasswordFile, { user, password, address, key, here }: Attempt): Promise<boolean> {
    this.#failed.begin(address, user)
    const hash = file.hashes.get(user)
    let right: boolean
    try {
      // Who is no user costs as much time as one who is.
      right = (await this.#bcrypt.matches(password, hash ?? file.dummy)) && hash !== undefined
    } catch (error) {
      this.#failed.undo(address, user)
      throw error
    }
    if (right) this.#failed.succeed(address, user)
    // What is no user's name may be a password that was typed in the wrong place.
    else this.#notes.info({ address, ...(hash === undefined ? {} : { user }) }, hash === undefined ? 'a login failed: no such user' : 'a login failed: wrong password')
    if (file !== this.#known) return right
    if (right) this.#right.set(here, true)
    else this.#wrong.set(key, true)
    return right
  }

  async #current(): Promise<PasswordFile> {
    const file = await this.#file.current()
    if (file !== this.#known) {
      this.#known = file
      this.#right.clear()
      this.#wrong.clear()
    }
    return file
  }
}
