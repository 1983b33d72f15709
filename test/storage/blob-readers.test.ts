import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { digestOf } from '../../src/oci/digest.ts'
import { EmbeddedStore } from '../../src/storage/embedded/store.ts'
import { fill } from '../contract/bytes.ts'

const MIB = 1024 * 1024
const CONTENT = fill(6 * MIB)

describe('readers of a blob', () => {
  it('cost little once they stall, however many they are, and nothing when they are gone', () => withBlob(async (store) => {
    const before = process.memoryUsage().arrayBuffers
    const readers = Array.from({ length: 500 }, () => store.read('blob')[Symbol.asyncIterator]())
    for (const reader of readers) for (let chunk = 0; chunk < 2; chunk++) await reader.next()
    const stalled = process.memoryUsage().arrayBuffers - before
    assert.ok(stalled < 80 * MIB, `${Math.round(stalled / MIB)} MiB`)
    for (const reader of readers) await reader.return?.()
    const gone = process.memoryUsage().arrayBuffers - before
    assert.ok(gone < 20 * MIB, `${Math.round(gone / MIB)} MiB`)
  }))

  it('get large chunks while they are prompt, small ones when they are not, and every byte', () => withBlob(async (store) => {
    const chunks: Buffer[] = []
    for await (const chunk of store.read('blob', { start: 5 })) {
      chunks.push(Buffer.from(chunk))
      if (chunks.length === 3) await sleep(150)
    }
    assert.equal(Buffer.concat(chunks).compare(CONTENT, 5), 0)
    assert.equal(chunks[2]?.length, MIB)
    assert.ok((chunks[3]?.length ?? 0) <= 64 * 1024)
    assert.equal(chunks[4]?.length, MIB)
  }))
})

describe('uploads of a store', () => {
  it('hold no buffers while nothing comes, and lose nothing by that', () => withBlob(async (store) => {
    const before = process.memoryUsage().arrayBuffers
    const gate = Promise.withResolvers<void>()
    const slow = async function* (): AsyncGenerator<Uint8Array> {
      yield CONTENT.subarray(0, 10)
      await gate.promise
      yield CONTENT.subarray(10, 3_000_000)
    }
    const ids = Array.from({ length: 100 }, (_, index) => `slow-${index}`)
    const sizes = Promise.all(ids.map(async (id) => {
      await store.uploads.create(id, 'a')
      return store.uploads.append(id, 0, slow())
    }))
    await sleep(500)
    const idle = process.memoryUsage().arrayBuffers - before
    assert.ok(idle < 20 * MIB, `${Math.round(idle / MIB)} MiB`)
    gate.resolve()
    assert.deepEqual(new Set(await sizes), new Set([3_000_000]))
    await store.uploads.verify('slow-7', digestOf(CONTENT.subarray(0, 3_000_000)))
  }))
})

async function withBlob(test: (store: EmbeddedStore) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'disco-readers-'))
  const store = await EmbeddedStore.open(directory)
  try {
    await store.uploads.create('u', 'a')
    await store.uploads.append('u', 0, (async function* () {
      yield CONTENT
    })())
    await store.commit({ uploads: [{ id: 'u', path: 'blob', digest: digestOf(CONTENT) }] })
    await test(store)
  } finally {
    await store.close()
    await rm(directory, { recursive: true })
  }
}
