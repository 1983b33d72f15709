import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { FetchQueue } from '../../src/global/fetch-queue.ts'
import type { FileFetch } from '../../src/ipfs/node.ts'

/** Files that arrive when the test says so. */
function transfers(keys: readonly string[]) {
  const begun: string[] = []
  const ends = new Map(keys.map((key) => [key, Promise.withResolvers<{ upload: string }>()]))
  const queue = new FetchQueue(keys, (key): FileFetch => {
    begun.push(key)
    const done = ends.get(key)?.promise ?? Promise.reject(new Error('no such file'))
    return { done, read: async function* () { yield Buffer.from(key) } }
  })
  const arrive = async (key: string): Promise<void> => {
    ends.get(key)?.resolve({ upload: key })
    await setImmediate()
  }
  return { queue, begun, arrive, fail: (key: string, reason: Error) => ends.get(key)?.reject(reason) }
}

const KEYS = Array.from({ length: 12 }, (_, at) => `f${at}`)

describe('the queue of a clone', () => {
  it('fetches three files at once, in their order', async () => {
    const { queue, begun, arrive } = transfers(KEYS)
    assert.deepEqual(begun, ['f0', 'f1', 'f2'])
    await arrive('f1')
    assert.deepEqual(begun, ['f0', 'f1', 'f2', 'f3'])
    for (const key of KEYS) await arrive(key)
    await queue.done
    assert.deepEqual(begun, KEYS)
  })

  it('fetches what is asked for at once, up to eight', async () => {
    const { queue, begun, arrive } = transfers(KEYS)
    const asked = ['f11', 'f4', 'f9', 'f8', 'f7', 'f6', 'f4', 'f0'].map((key) => queue.ask(key))
    await setImmediate()
    assert.deepEqual(begun, ['f0', 'f1', 'f2', 'f11', 'f4', 'f9', 'f8', 'f7'])
    await arrive('f9')
    assert.deepEqual(begun.slice(8), ['f6'])
    await Promise.all(asked)
    for (const key of KEYS) await arrive(key)
    await queue.done
    assert.equal(begun.length, KEYS.length)
  })

  it('has nothing to do for an image without blobs', async () => {
    await transfers([]).queue.done
  })

  it('ends with the first failure, and tells everybody', async () => {
    const { queue, begun, fail } = transfers(KEYS)
    const reason = new Error('lost')
    const waiting = KEYS.map((key) => queue.ask(key))
    fail('f1', reason)
    await assert.rejects(queue.done, reason)
    const outcomes = await Promise.allSettled(waiting)
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, begun.length)
    assert.ok(begun.length < KEYS.length)
    await assert.rejects(queue.ask('f11'), reason)
  })
})
