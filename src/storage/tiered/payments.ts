import type { Logger } from '../../telemetry/logger.ts'
import type { AbortOptions } from '../object-store.ts'
import { AwayError } from './away.ts'
import type { Copying, Known } from './copying.ts'
import type { Debt, Debts } from './debts.ts'
import { Jobs } from './jobs.ts'
import type { Transfer } from './transfer.ts'
import { several } from './walk.ts'

/** Debts that are paid at once, and that wait for it. */
const AT_ONCE = 4
const MOST = 64

export interface PaymentOptions extends Pick<Transfer, 'id' | 'onProgress'> {
  /** What came of a commit just now. */
  readonly known?: Known | undefined
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

  async #pay(debt: Debt, { known, settleLater = false, ...watching }: PaymentOptions): Promise<boolean> {
    let isWhole: boolean
    try {
      isWhole = await this.jobs.run((signal) => this.#copying.bring(debt.paths, { known, signal, ...watching }))
    } catch (error) {
      this.#debts.leave(debt)
      throw error
    }
    const settling = this.jobs.during(() => this.#debts.settle(debt))
    if (!settleLater) await settling
    else settling.catch((err: unknown) => this.#log.warn({ err, note: debt.id }, 'what was paid to the copy could not be struck out yet'))
    return isWhole
  }

  /** As `pay`, beside everything else. */
  async payLater(debt: Debt, known?: Known): Promise<void> {
    const paying = this.pay(debt, { known }).catch((err: unknown) => {
      if (!(err instanceof AwayError)) this.#log.warn({ err, note: debt.id }, 'the copy could not be brought in line yet')
    })
    // Who is quicker than the copy waits a little, instead of all that waits growing.
    if (this.jobs.isFull) await paying
  }

  /** What processes left that died, or could not reach the copy. @returns whether all of it is paid. @throws AwayError */
  async payAll(debts: readonly Debt[], { signal }: AbortOptions): Promise<boolean> {
    let all = true
    await several(debts, async (debt) => {
      signal?.throwIfAborted()
      try {
        await this.pay(debt)
      } catch (err) {
        signal?.throwIfAborted()
        if (err instanceof AwayError) throw err
        all = false
        this.#log.warn({ err, note: debt.id }, 'the copy could not be brought in line yet')
      }
    }, AT_ONCE)
    return all
  }
}
