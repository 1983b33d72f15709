import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import pino from 'pino'
import { tierPlaces } from '../../src/global/tier-places.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import type { ReadOptions } from '../../src/storage/object-store.ts'
import { TieredStore } from '../../src/storage/tiered/store.ts'
import { bytes, collect, fill } from '../contract/bytes.ts'
import { pushBlob } from './tier-scene.ts'

const PIECE = 16_384
/** Milliseconds for each: half of it is too little a second. */
const EACH = 100
/** Of a whole read at that speed: 8 s. */
const DATA = bytes(fill(80 * PIECE))
const AT_ONCE = 8

/** Gives bytes in pieces, each after a while. */
class SlowStore extends MemoryStore {
  reads = 0
  pause: () => Promise<unknown> = () => Promise.resolve()

  override async *read(path: string, options?: ReadOptions): AsyncGenerator<Uint8Array, void, undefined> {
    this.reads++
    for await (const chunk of super.read(path, options)) {
      for (let at = 0; at < chunk.byteLength; at += PIECE) {
        await this.pause()
        yield chunk.subarray(at, at + PIECE)
      }
    }
  }
}

async function scene(): Promise<{ store: TieredStore; authority: SlowStore; copy: SlowStore; path: string }> {
  const [authority, copy] = [new SlowStore(), new SlowStore()]
  const store = new TieredStore({ authority, copy, places: tierPlaces, first: 'copy', log: pino({ level: 'silent' }) })
  const { path } = await pushBlob(store, DATA)
  await store.idle()
  assert.ok(await store.hasInCopy(path))
  copy.pause = () => sleep(EACH)
  copy.reads = 0
  authority.reads = 0
  return { store, authority, copy, path }
}

describe('a copy that gives little at a time', { concurrency: true, timeout: 60_000 }, () => {
  it('is left for the authority, by those who come then too, and is not taken for one that is away', async () => {
    const { store, authority, copy, path } = await scene()
    const began = performance.now()
    assert.deepEqual(await collect(store.read(path)), DATA)
    assert.ok(performance.now() - began < 5000)
    assert.deepEqual(await collect(store.read(path)), DATA)
    assert.deepEqual([copy.reads, authority.reads], [1, 2])
    assert.equal(store.away, undefined)
    await store.close()
  })

  it('gives all of what nobody else has', async () => {
    const { store, authority, copy, path } = await scene()
    await authority.commit({ changes: [{ delete: path }] })
    const first = collect(store.read(path))
    await sleep(4000)
    assert.deepEqual(await collect(store.read(path, { start: DATA.byteLength - 3 * PIECE })), DATA.subarray(-3 * PIECE))
    assert.deepEqual(await first, DATA)
    assert.ok(copy.reads > 1)
    await store.close()
  })

  it('is left by a few at once, where many share it', async () => {
    const { store, authority, path } = await scene()
    const gate = Promise.withResolvers<void>()
    authority.pause = () => gate.promise
    const reads = Array.from({ length: AT_ONCE + 4 }, () => collect(store.read(path)))
    const others = Promise.race(reads)
    await sleep(5000)
    assert.equal(authority.reads, AT_ONCE)
    assert.deepEqual(await others, DATA)
    assert.equal(authority.reads, AT_ONCE)
    gate.resolve()
    for (const read of reads) assert.deepEqual(await read, DATA)
    await store.close()
  })
})

describe('a copy that gives little at a time of what nobody else has', { timeout: 60_000 }, () => {
  it('gives all of it, however long that takes', async () => {
    const { store, authority, path } = await scene()
    await authority.commit({ changes: [{ delete: path }] })
    let later = 0
    const now = performance.now.bind(performance)
    const clock = mock.method(performance, 'now', () => now() + later)
    const minute = setTimeout(() => (later = 61_000), 4500)
    try {
      assert.deepEqual(await collect(store.read(path)), DATA)
      assert.equal(later, 61_000)
    } finally {
      clearTimeout(minute)
      clock.mock.restore()
    }
    await store.close()
  })
})
