import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { inParallel } from '../../src/storage/parallel.ts'

describe('several at once', () => {
  it('are as many as may be, and give results in their order', async () => {
    let [now, most] = [0, 0]
    const results = await inParallel([5, 1, 4, 2, 3], 2, async (item, index) => {
      most = Math.max(most, ++now)
      await sleep(item)
      now--
      return `${index}: ${item}`
    })
    assert.deepEqual([results, most], [['0: 5', '1: 1', '2: 4', '3: 2', '4: 3'], 2])
    assert.deepEqual(await inParallel([], 2, async () => assert.fail()), [])
  })

  it('fail as the first that fails, begin nothing more, and leave nothing under way', async () => {
    const [begun, ended]: [number[], number[]] = [[], []]
    await assert.rejects(inParallel([30, 5, 10, 40, 50], 3, async (item) => {
      begun.push(item)
      await sleep(item)
      ended.push(item)
      if (item !== 30) throw new Error(`after ${item}`)
    }), /^Error: after 5$/)
    assert.deepEqual([begun, ended], [[30, 5, 10], [5, 10, 30]])
    await assert.rejects(inParallel([1], 1, () => Promise.reject(undefined)), (error) => error === undefined)
  })
})
