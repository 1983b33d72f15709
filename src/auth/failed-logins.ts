import { BoundedMap } from '../oci/bounded-map.ts'
import { networkOf } from './network-of.ts'

/** How a counter slows down. */
interface Pace {
  /** Failures that cost nothing. */
  readonly free: number
  /** Milliseconds to wait at most; the first wait is a second, and each failure doubles it. */
  readonly longest: number
}

interface Count {
  readonly failures: number
  /** Until when the next attempt has to wait, by `performance.now()`. */
  readonly until: number
}

/** One user from one address: somebody guesses, or a program has an old password. */
const PAIR: Pace = { free: 5, longest: 60_000 }
/** All users from one address: it may be many people behind one router, so never for long. */
const ADDRESS: Pace = { free: 20, longest: 10_000 }
/** One user from all addresses: so many guesses a day, and he himself is not kept out for long. */
const USER: Pace = { free: 20, longest: 10_000 }

const FIRST_WAIT = 1_000
const FORGOTTEN_AFTER = 15 * 60_000
const TRUSTED_FOR = 24 * 3600_000
const MAX_COUNTS = 10_000
/** Attempts of a user at an address that came too early, after which it is no mistake of a program any more. */
const MANY_TOO_EARLY = 200

/** Counts failed logins, and tells who has to wait. Who logged in from an address lately waits only for his own failures there. */
export class FailedLogins {
  readonly #counts: BoundedMap<Count>
  readonly #trusted = new BoundedMap<true>(MAX_COUNTS, TRUSTED_FOR)
  /** Attempts that were refused because they came too early, by user and address. */
  readonly #tooEarly = new BoundedMap<number>(MAX_COUNTS, FORGOTTEN_AFTER)

  constructor(size: number = MAX_COUNTS) {
    this.#counts = new BoundedMap(size, FORGOTTEN_AFTER)
  }

  /** Milliseconds until the next attempt may be made. */
  wait(address: string, user: string): number {
    const now = performance.now()
    const [pair, ...others] = counters(address, user)
    const counted = this.#trusted.get(pair[0]) === true ? [pair] : [pair, ...others]
    return Math.max(0, ...counted.map(([key]) => (this.#counts.get(key)?.until ?? 0) - now))
  }

  /** An attempt came too early. */
  refuse(address: string, user: string): void {
    const [[pair]] = counters(address, user)
    this.#tooEarly.set(pair, (this.#tooEarly.get(pair) ?? 0) + 1)
  }

  /** Whether somebody at the address tries the user's passwords without waiting: then the answer to one that is known would tell it. */
  isBesieged(address: string, user: string): boolean {
    const [[pair]] = counters(address, user)
    return (this.#tooEarly.get(pair) ?? 0) >= MANY_TOO_EARLY
  }

  /** Before the attempt, so that a thousand at once are a thousand. */
  begin(address: string, user: string): void {
    const now = performance.now()
    for (const [key, { free, longest }] of counters(address, user)) {
      const failures = (this.#counts.get(key)?.failures ?? 0) + 1
      const wait = failures < free ? 0 : Math.min(longest, FIRST_WAIT * 2 ** (failures - free))
      this.#counts.set(key, { failures, until: now + wait })
    }
  }

  /** The attempt was no guess. What others at the address did goes on counting. */
  succeed(address: string, user: string): void {
    const [pair, place, person] = counters(address, user)
    this.#trusted.set(pair[0], true)
    this.#counts.delete(pair[0])
    this.#counts.delete(person[0])
    this.#takeBack(...place)
  }

  /** The attempt was not made. */
  undo(address: string, user: string): void {
    for (const counter of counters(address, user)) this.#takeBack(...counter)
  }

  #takeBack(key: string, { free }: Pace): void {
    const count = this.#counts.get(key)
    if (count === undefined) return
    const failures = count.failures - 1
    // Nothing stays of an attempt that was not made: those cost nobody anything, and would push out the counts of others.
    if (failures === 0) this.#counts.delete(key)
    else this.#counts.set(key, { failures, until: failures < free ? 0 : count.until })
  }
}

type Counter = readonly [key: string, pace: Pace]

function counters(address: string, user: string): readonly [Counter, Counter, Counter] {
  const place = networkOf(address)
  const name = user.slice(0, 255)
  return [[`pair ${place} ${name}`, PAIR], [`address ${place}`, ADDRESS], [`user ${name}`, USER]]
}
