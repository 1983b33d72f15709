import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Patience } from '../../src/ipfs/patience.ts'

describe('patience', () => {
  it('lasts with a slow line, runs out with one that drips, and only while something is asked', async () => {
    const patience = new Patience(300, 1000)
    let spent = 0
    await sleep(400)
    const isSpent = (): boolean => spent > 0
    const done = patience.wait(() => spent++)
    for (let i = 0; i < 20; i++) {
      patience.gave(200)
      await sleep(50)
    }
    assert.equal(spent, 0)
    for (let i = 0; i < 20 && !isSpent(); i++) {
      patience.gave(1)
      await sleep(50)
    }
    assert.equal(spent, 1)
    done()
  })
})
