import { setTimeout as sleep } from 'node:timers/promises'

export interface UntilOptions {
  /** For the message. */
  readonly what?: string
  /** Milliseconds. @default 30000 */
  readonly timeout?: number
  /** Milliseconds between two looks. @default 50 */
  readonly every?: number
}

/**
 * Looks until it holds; a look that fails has not found it.
 *
 * @throws Error when it has not come to hold in time; its cause is why the last look failed, if it did
 */
export async function until(holds: () => Promise<boolean> | boolean, { what = 'it holds', timeout = 30_000, every = 50 }: UntilOptions = {}): Promise<void> {
  const deadline = Date.now() + timeout
  for (;;) {
    let cause: unknown
    try {
      if (await holds()) return
    } catch (error) {
      cause = error
    }
    if (Date.now() > deadline) throw new Error(`not within ${timeout} ms: ${what}`, { cause })
    await sleep(every)
  }
}
