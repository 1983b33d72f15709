import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import pino from 'pino'
import { Away, AwayError, GRACE } from '../../src/storage/tiered/away.ts'
import { until } from '../http/harness.ts'

/** A copy on a medium that hangs: nothing that it is asked ends, whoever gives it up. */
class HungCopy {
  hangs = true
  asked = 0
  readonly #out: (() => void)[] = []

  ask = (): Promise<void> => {
    this.asked++
    return this.hangs ? new Promise((resolve) => void this.#out.push(resolve)) : Promise.resolve()
  }

  answer(): void {
    this.#out.pop()?.()
  }
}

describe('a copy that nothing comes back from', { timeout: 60_000 }, () => {
  it('is not even looked at until something has come back', async () => {
    const copy = new HungCopy()
    const away = new Away({ what: 'read', look: copy.ask, log: pino({ level: 'silent' }) })
    const ask = (): Promise<void> => away.ask(copy.ask, { limit: 20 })
    await Promise.all([1, 2, 3, 4].map(() => assert.rejects(ask(), AwayError)))
    await sleep(GRACE + 100)
    copy.hangs = false
    for (let i = 0; i < 20; i++) {
      await assert.rejects(ask(), AwayError)
      await away.look()
      await sleep(100)
    }
    assert.equal(copy.asked, 4)
    assert.match(away.reason ?? '', /never came back/)
    copy.answer()
    await until(async () => (await away.look(), away.reason === undefined))
    await ask()
  })

  it('is looked at where what was given up has come back late', async () => {
    const copy = new HungCopy()
    const away = new Away({ what: 'read', look: copy.ask, log: pino({ level: 'silent' }) })
    await Promise.all([1, 2, 3, 4, 5].map(() => assert.rejects(away.ask(copy.ask, { limit: 20 }), AwayError)))
    copy.hangs = false
    for (let i = 0; i < 5; i++) copy.answer()
    await until(async () => (await away.look(), away.reason === undefined))
  })
})
