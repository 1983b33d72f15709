import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { Turns } from '../../src/ipfs/turns.ts'

describe('turns', () => {
  it('lets so many in, then one for each that ends, in their order, and none twice', async () => {
    const turns = new Turns(2)
    const order: number[] = []
    const take = (n: number) => turns.take().then((end) => {
      order.push(n)
      return end
    })
    const ends = [1, 2, 3, 4].map(take)
    await setImmediate()
    assert.deepEqual(order, [1, 2])
    const end = await ends[1]
    end?.()
    end?.()
    await setImmediate()
    assert.deepEqual(order, [1, 2, 3])
  })

  it('is not waited for by who was told to stop', async () => {
    const turns = new Turns(1)
    const end = await turns.take()
    const abort = new AbortController()
    const waiting = assert.rejects(turns.take({ signal: abort.signal }), /enough/)
    abort.abort(new Error('enough'))
    await waiting
    end()
    const next = await turns.take()
    next()
    await assert.rejects(turns.take({ signal: AbortSignal.abort(new Error('enough')) }), /enough/)
    await turns.take()
  })
})
