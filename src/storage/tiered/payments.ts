import type { Logger } from '../../telemetry/logger.ts'
import type { AbortOptions } from '../object-store.ts'
import { inParallel } from '../parallel.ts'
import { AwayError, settled } from './away.ts'
import type { Copying, Known } from './copying.ts'
import type { Debt, Debts } from './debts.ts'
import { Jobs } from './jobs.ts'
import type { Transfer } from './transfer.ts'

/** Debts that are paid at once, and that wait for it. */
const AT_ONCE = 4
const MOST = 64
/** Milliseconds that who is quicker than the copy waits for it. */
const WAIT = 10_000

export interface PaymentOptions extends Pick<Transfer, 'id' | 'onProgress'> {
  /** What came of a commit just now. */
  readonly known?: Known | undefined
  /** Objects whose bytes in the copy are not what their digests say: they are copied once more. @default false */
  readonly anew?: boolean | undefined
  /** Whether it is struck out only after who waits for it has heard. @default false */
  readonly settleLater?: boolean | undefined
}

/** Pays what is owed to the copy, and strikes it out. */
export class Payments {
  readonly jobs: Jobs = new Jobs(AT_ONCE, MOST)
  readonly #copying: Copying
  readonly #debts: Debts
  readonly #log: Logger

  constructor(copying: Copying, debts: Debts, log: Logger) {
    this.#copying = copying
    this.#debts = debts
    this.#log = log
  }

  /** Whether the copy has all of it then; goes on when nobody waits for it any more. @throws AwayError, StorageFailedError; the debt stays noted, for the rounds */
  pay(debt: Debt, options: PaymentOptions = {}): Promise<boolean> {
    return this.jobs.during(() => this.#pay(debt, options))
  }

  async #pay(debt: Debt, { settleLater = false, ...bringing }: PaymentOptions): Promise<boolean> {
    let isWhole: boolean
    let isBehind = false
    try {
      isWhole = await this.jobs.run(async (signal) => {
        isBehind = await this.#debts.isBehind(debt, { signal })
        return this.#copying.bring(debt, { signal, ...bringing })
      })
    } catch (error) {
      this.#debts.leave(debt)
      throw error
    }
    const settling = this.jobs.during(() => (isBehind ? this.#payAgain(debt) : this.#debts.settle(debt)))
    if (!settleLater && !isBehind) await settling
    else settling.catch((err: unknown) => this.#log.warn({ err, note: debt.id }, 'what was paid to the copy could not be struck out yet'))
    return isWhole
  }

  /** Others are at what is older; who is not done soon leaves it to the rounds. */
  async #payAgain(debt: Debt): Promise<void> {
    try {
      for (let pause = 50; pause < 2000; pause *= 2) {
        await this.jobs.pause(pause)
        const isBehind = await this.#debts.isBehind(debt)
        await this.jobs.run((signal) => this.#copying.bring(debt, { signal }))
        if (!isBehind) return await this.#debts.settle(debt)
      }
    } finally {
      this.#debts.leave(debt)
    }
  }

  /** As `pay`, beside everything else. */
  async payLater(debt: Debt, known?: Known): Promise<void> {
    // Who is quicker than the copy waits a little, instead of all that waits growing; then the rounds get to it.
    if (this.jobs.isFull) await settled(this.jobs.spare(), WAIT)
    if (this.jobs.isFull) return this.#debts.leave(debt)
    this.pay(debt, { known }).catch((err: unknown) => {
      if (!(err instanceof AwayError)) this.#log.warn({ err, note: debt.id }, 'the copy could not be brought in line yet')
    })
  }

  /** What processes left that died, or could not reach the copy. @returns whether all of it is paid. @throws AwayError */
  async payAll(debts: readonly Debt[], { signal }: AbortOptions): Promise<boolean> {
    let all = true
    const isWritten = ({ paths, written }: Debt): boolean => written.length === paths.length
    const pay = async (debt: Debt): Promise<void> => {
      signal?.throwIfAborted()
      try {
        await this.pay(debt)
      } catch (err) {
        signal?.throwIfAborted()
        if (err instanceof AwayError) throw err
        all = false
        this.#log.warn({ err, note: debt.id }, 'the copy could not be brought in line yet')
      }
    }
    await inParallel(debts.filter(isWritten), AT_ONCE, pay)
    await inParallel(debts.filter((debt) => !isWritten(debt)), AT_ONCE, pay)
    return all
  }
}
