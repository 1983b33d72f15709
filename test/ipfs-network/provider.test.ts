import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CID } from 'multiformats/cid'
import { Provider } from '../../src/ipfs/embedded/provider.ts'
import { cidOf, RAW, sha256 } from '../../src/ipfs/unixfs/block.ts'
import { silentLogger } from '../../src/telemetry/create-logger.ts'

const HOUR = 3_600_000
const root = (n: number): CID => cidOf(RAW, sha256(Uint8Array.of(n)))

class Queue {
  readonly times = new Map<CID, number>()

  due(before: number, limit: number): CID[] {
    return [...this.times].filter(([, at]) => at < before).map(([cid]) => cid).slice(0, limit)
  }

  async provided(cid: CID, at: number): Promise<void> {
    this.times.set(cid, at)
  }
}

describe('provider', () => {
  it('provides what is new or was provided a day ago, a few at a time', async () => {
    const queue = new Queue()
    for (let n = 0; n < 20; n++) queue.times.set(root(n), 0)
    queue.times.set(root(20), Date.now() - 23 * HOUR)
    queue.times.set(root(21), Date.now() - HOUR)
    const provided: CID[] = []
    let now = 0
    let most = 0
    const provide = async (cid: CID): Promise<void> => {
      most = Math.max(most, ++now)
      await sleep(2)
      now--
      provided.push(cid)
    }
    const provider = new Provider({ queue, provide, online: () => true, log: silentLogger(), interval: 10 })
    provider.start()
    await sleep(200)
    await provider.stop()
    assert.equal(provided.length, 21)
    assert.equal(new Set(provided).size, 21)
    assert.ok(most > 1 && most <= 4)
  })

  it('keeps what could not be provided for later, and waits while nobody is there', async () => {
    const queue = new Queue()
    queue.times.set(root(1), 0)
    let online = false
    let tries = 0
    const provide = async (): Promise<void> => {
      if (++tries === 1) throw new Error('not now')
    }
    const provider = new Provider({ queue, provide, online: () => online, log: silentLogger(), interval: 10 })
    provider.start()
    await sleep(50)
    assert.equal(tries, 0)
    online = true
    await sleep(150)
    await provider.stop()
    assert.equal(tries, 2)
    assert.ok([...queue.times.values()].every((at) => at > 0))
  })

  it('stops in the middle of providing', async () => {
    const queue = new Queue()
    queue.times.set(root(1), 0)
    const provide = (_: CID, { signal }: { signal?: AbortSignal | undefined }): Promise<void> =>
      new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    const provider = new Provider({ queue, provide, online: () => true, log: silentLogger(), interval: 1 })
    provider.start()
    await sleep(50)
    await provider.stop()
    assert.deepEqual([...queue.times.values()], [0])
  })
})
