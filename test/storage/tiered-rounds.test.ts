import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import pino from 'pino'
import { TierRounds } from '../../src/storage/tiered/tier-rounds.ts'

/** Whatever is owed stays owed: so it is tried again after 2 s. */
function scene(heal: (signal: AbortSignal | undefined) => Promise<number>): { rounds: TierRounds; done: { paid: number; healed: number } } {
  const done = { paid: 0, healed: 0 }
  const rounds = new TierRounds({
    look: () => Promise.resolve(),
    isAway: () => false,
    pay: () => Promise.resolve(++done.paid < 0),
    heal: ({ signal }) => (done.healed++, heal(signal)),
    log: pino({ level: 'silent' }),
  })
  return { rounds, done }
}

describe('the rounds of a tier', { concurrency: true, timeout: 20_000 }, () => {
  it('pay what is owed while what was lost is looked for, and end both', async () => {
    const { rounds, done } = scene((signal) => sleep(2 ** 30, 0, { signal, ref: false }))
    rounds.start()
    await sleep(4500)
    assert.ok(done.paid >= 2, `${done.paid}`)
    assert.equal(done.healed, 1)
    await rounds.stop()
  })

  it('do not look through everything anew at once when a look has failed', async () => {
    const { rounds, done } = scene(() => Promise.reject(new Error('a page that does not come')))
    rounds.start()
    await sleep(4500)
    assert.ok(done.paid >= 2, `${done.paid}`)
    assert.equal(done.healed, 1)
    await rounds.stop()
  })
})
