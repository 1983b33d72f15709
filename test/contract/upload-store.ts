import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'node:test'
import { digestOf } from '../../src/oci/digest.ts'
import { DigestMismatchError, OffsetMismatchError, UploadBusyError, UploadUnknownError } from '../../src/storage/errors.ts'
import { CHUNK_SIZE } from '../../src/storage/object-store.ts'
import { bytes, collect, fill, text } from './bytes.ts'
import type { OpenedStore } from './object-store.ts'

type WithStore = (run: (opened: OpenedStore) => Promise<void>) => () => Promise<void>

async function* from(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

/** A source that is fed by hand. */
class Tap implements AsyncIterable<Uint8Array> {
  readonly #stream = new TransformStream<Uint8Array, Uint8Array>(undefined, { highWaterMark: 100 })
  readonly #writer = this.#stream.writable.getWriter()

  async give(chunk: Uint8Array): Promise<void> {
    await this.#writer.write(chunk)
  }

  async end(): Promise<void> {
    await this.#writer.close()
  }

  async fail(reason: Error): Promise<void> {
    await this.#writer.abort(reason)
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#stream.readable[Symbol.asyncIterator]()
  }
}

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await holds()) return
    await sleep(10)
  }
  throw new Error('it did not come to hold')
}

/** What every UploadStore promises. */
export function uploadStoreContract(name: string, withStore: WithStore): void {
  describe(`${name}: uploads`, () => {
    it('begins empty and grows', withStore(async ({ store: { uploads } }) => {
      const before = Date.now()
      await uploads.create('u', 'some/name')
      const stat = await uploads.stat('u')
      assert.equal(stat?.size, 0)
      assert.equal(stat.id, 'u')
      assert.equal(stat.repository, 'some/name')
      assert.ok(stat.modifiedAt >= before - 20 && stat.modifiedAt <= Date.now() + 1)
      assert.equal((await collect(uploads.read('u'))).byteLength, 0)
      assert.equal(await uploads.append('u', 0, from(text('one'), text(''), text('two'))), 6)
      assert.equal(await uploads.append('u', 6, from()), 6)
      assert.equal(await uploads.append('u', 6, from(text('three'))), 11)
      assert.equal((await uploads.stat('u'))?.size, 11)
      assert.deepEqual(await collect(uploads.read('u')), text('onetwothree'))
      assert.deepEqual(await collect(uploads.read('u', { start: 3, length: 3 })), text('two'))
    }))

    it('knows no upload that was not created', withStore(async ({ store }) => {
      const { uploads } = store
      assert.equal(await uploads.stat('u'), undefined)
      await assert.rejects(uploads.append('u', 0, from(text('a'))), UploadUnknownError)
      await assert.rejects(collect(uploads.read('u')), UploadUnknownError)
      await assert.rejects(uploads.verify('u', digestOf(text(''))), UploadUnknownError)
      await assert.rejects(store.commit({ uploads: [{ id: 'u', path: 'p', digest: digestOf(text('')) }] }), UploadUnknownError)
      await uploads.remove('u')
      await uploads.create('u', 'r')
      await assert.rejects(uploads.create('u', 'r'))
    }))

    it('appends only where the upload ends', withStore(async ({ store: { uploads } }) => {
      await uploads.create('u', 'r')
      await uploads.append('u', 0, from(text('abc')))
      for (const offset of [0, 2, 4]) {
        await assert.rejects(uploads.append('u', offset, from(text('x'))), (error) => error instanceof OffsetMismatchError && error.size === 3)
      }
      assert.deepEqual(await collect(uploads.read('u')), text('abc'))
    }))

    it('uses a chunk only until it asks for the next', withStore(async ({ store: { uploads } }) => {
      const chunk = Buffer.alloc(1000)
      await uploads.create('u', 'r')
      await uploads.append('u', 0, (async function* () {
        for (let i = 0; i < 5; i++) yield chunk.fill(i)
      })())
      const all = await collect(uploads.read('u'))
      assert.deepEqual(Array.from({ length: 5 }, (_, i) => all[i * 1000 + 999]), [0, 1, 2, 3, 4])
    }))

    it('turns into an object and is gone', withStore(async ({ store }) => {
      const data = fill(2 * CHUNK_SIZE + 5)
      await store.uploads.create('u', 'r')
      await store.uploads.append('u', 0, from(data))
      await store.commit({ uploads: [{ id: 'u', path: 'a/b', digest: digestOf(data) }] })
      assert.equal(await store.uploads.stat('u'), undefined)
      assert.equal((await store.stat('a/b'))?.size, data.byteLength)
      assert.deepEqual(await collect(store.read('a/b')), bytes(data))
      await assert.rejects(store.commit({ uploads: [{ id: 'u', path: 'a/c', digest: digestOf(data) }] }), UploadUnknownError)
    }))

    it('may be empty', withStore(async ({ store }) => {
      await store.uploads.create('u', 'r')
      await store.commit({ uploads: [{ id: 'u', path: 'a', digest: digestOf(text('')) }] })
      assert.equal((await store.stat('a'))?.size, 0)
      assert.deepEqual(bytes(await store.get('a')), text(''))
      assert.equal((await collect(store.read('a'))).byteLength, 0)
    }))

    it('stays when its bytes have another digest', withStore(async ({ store }) => {
      await store.uploads.create('u', 'r')
      await store.uploads.append('u', 0, from(text('abc')))
      const wrong = digestOf(text('xyz'))
      const mismatch = (error: unknown): boolean => error instanceof DigestMismatchError && error.actual.hex === digestOf(text('abc')).hex
      await assert.rejects(store.uploads.verify('u', wrong), mismatch)
      await assert.rejects(store.commit({ uploads: [{ id: 'u', path: 'a', digest: wrong }], changes: [{ put: 'b', data: text('') }] }), mismatch)
      assert.deepEqual(await store.list(''), [])
      await store.uploads.append('u', 3, from(text('d')))
      await store.commit({ uploads: [{ id: 'u', path: 'a', digest: digestOf(text('abcd')) }] })
    }))

    it('is checked in any algorithm, beforehand or at the commit, also after more came', withStore(async ({ store }) => {
      const data = fill(CHUNK_SIZE + 3)
      const half = data.subarray(0, 1000)
      await store.uploads.create('u', 'r')
      await store.uploads.append('u', 0, from(half))
      await store.uploads.verify('u', digestOf(half, 'sha512'))
      await store.uploads.verify('u', digestOf(half))
      await store.uploads.append('u', 1000, from(data.subarray(1000)))
      await assert.rejects(store.uploads.verify('u', digestOf(half)), DigestMismatchError)
      await assert.rejects(store.commit({ uploads: [{ id: 'u', path: 'a', digest: digestOf(half, 'sha512') }] }), DigestMismatchError)
      await store.uploads.verify('u', digestOf(data, 'sha512'))
      await store.commit({ uploads: [{ id: 'u', path: 'a', digest: digestOf(data, 'sha512') }] })
      assert.deepEqual(await collect(store.read('a')), bytes(data))
    }))

    it('leaves an object that is there', withStore(async ({ store, files }) => {
      for (const id of ['u', 'v']) {
        await store.uploads.create(id, 'r')
        await store.uploads.append(id, 0, from(text('same')))
      }
      const digest = digestOf(text('same'))
      await Promise.all(['u', 'v'].map((id) => store.commit({ uploads: [{ id, path: 'a', digest }] })))
      assert.deepEqual(bytes(await store.get('a')), text('same'))
      assert.deepEqual(await store.uploads.list(), [])
      if (files !== undefined) assert.equal(await files(), 1)
    }))

    it('commits several with changes, or none', withStore(async ({ store }) => {
      for (const id of ['u', 'v']) {
        await store.uploads.create(id, 'r')
        await store.uploads.append(id, 0, from(text(id)))
      }
      const [u, v] = ['u', 'v'].map((id) => ({ id, path: `blob/${id}`, digest: digestOf(text(id)) }))
      assert.ok(u !== undefined && v !== undefined)
      const changes = [{ put: 'link', data: text('') }]
      await assert.rejects(store.commit({ uploads: [u, { ...v, digest: digestOf(text('other')) }], changes }), DigestMismatchError)
      await assert.rejects(store.commit({ uploads: [u, { ...v, id: 'w' }], changes }), UploadUnknownError)
      assert.deepEqual(await store.list(''), [])
      await store.commit({ uploads: [u, v], changes })
      assert.deepEqual(await store.list('blob'), ['u', 'v'])
      assert.deepEqual(bytes(await store.get('link')), text(''))
    }))

    it('is one writer\'s at a time', withStore(async ({ store, again }) => {
      const other = (await again?.()) ?? store
      const tap = new Tap()
      await store.uploads.create('u', 'r')
      let size = 0
      const append = store.uploads.append('u', 0, tap, { onProgress: (progress) => (size = progress) })
      await tap.give(text('abc'))
      await until(() => size === 3)
      for (const { uploads, commit } of [store, other].map((s) => ({ uploads: s.uploads, commit: s.commit.bind(s) }))) {
        await assert.rejects(uploads.append('u', 3, from(text('x'))), UploadBusyError)
        await assert.rejects(uploads.append('u', 0, from(text('x'))), UploadBusyError)
        await assert.rejects(uploads.verify('u', digestOf(text('abc'))), UploadBusyError)
        await assert.rejects(uploads.remove('u'), UploadBusyError)
        await assert.rejects(commit({ uploads: [{ id: 'u', path: 'p', digest: digestOf(text('abc')) }] }), UploadBusyError)
      }
      await tap.end()
      assert.equal(await append, 3)
      assert.equal(await other.uploads.append('u', 3, from(text('d'))), 4)
      assert.equal(await store.uploads.append('u', 4, from(text('e'))), 5)
      await other.commit({ uploads: [{ id: 'u', path: 'p', digest: digestOf(text('abcde')) }] })
      assert.deepEqual(bytes(await store.get('p')), text('abcde'))
    }))

    it('can be read while it grows', withStore(async ({ store: { uploads } }) => {
      const tap = new Tap()
      const data = fill(3 * CHUNK_SIZE)
      await uploads.create('u', 'r')
      let size = 0
      const append = uploads.append('u', 0, tap, { onProgress: (progress) => (size = progress) })
      for (let i = 0; i < 3; i++) {
        await tap.give(data.subarray(i * CHUNK_SIZE, (i + 1) * CHUNK_SIZE))
        await until(() => size === (i + 1) * CHUNK_SIZE)
        const start = i * CHUNK_SIZE + 7
        assert.deepEqual(await collect(uploads.read('u', { start, length: 50 })), bytes(data.subarray(start, start + 50)))
        assert.equal((await collect(uploads.read('u'))).byteLength, size)
      }
      await tap.end()
      await append
    }))

    it('keeps what came before the source failed', withStore(async ({ store }) => {
      const tap = new Tap()
      const data = fill(CHUNK_SIZE + 10)
      await store.uploads.create('u', 'r')
      let size = 0
      const append = store.uploads.append('u', 0, tap, { onProgress: (progress) => (size = progress) })
      const failed = assert.rejects(append, /cable/)
      await tap.give(data)
      await until(() => size === data.byteLength)
      await tap.fail(new Error('cable'))
      await failed
      assert.equal((await store.uploads.stat('u'))?.size, data.byteLength)
      await store.uploads.append('u', data.byteLength, from(text('end')))
      await store.commit({ uploads: [{ id: 'u', path: 'p', digest: digestOf(Buffer.concat([data, text('end')])) }] })
    }))

    it('keeps what came before the signal aborted, though the source hangs', withStore(async ({ store: { uploads } }) => {
      const controller = new AbortController()
      await uploads.create('u', 'r')
      let size = 0
      const source = (async function* () {
        yield text('abc')
        await new Promise(() => {})
      })()
      const append = uploads.append('u', 0, source, { signal: controller.signal, onProgress: (progress) => (size = progress) })
      const aborted = assert.rejects(append, /gone/)
      await until(() => size === 3)
      controller.abort(new Error('gone'))
      await aborted
      assert.equal((await uploads.stat('u'))?.size, 3)
      assert.equal(await uploads.append('u', 3, from(text('d'))), 4)
    }))

    it('does nothing for a signal that has aborted', withStore(async ({ store: { uploads } }) => {
      const signal = AbortSignal.abort(new Error('gone'))
      await assert.rejects(uploads.create('u', 'r', { signal }), /gone/)
      assert.equal(await uploads.stat('u'), undefined)
      await uploads.create('u', 'r')
      await assert.rejects(uploads.append('u', 0, from(text('a')), { signal }), /gone/)
      await assert.rejects(uploads.stat('u', { signal }), /gone/)
      await assert.rejects(collect(uploads.read('u', { signal })), /gone/)
      await assert.rejects(uploads.verify('u', digestOf(text('')), { signal }), /gone/)
      await assert.rejects(uploads.remove('u', { signal }), /gone/)
      await assert.rejects(uploads.list({ signal }), /gone/)
      assert.equal((await uploads.stat('u'))?.size, 0)
    }))

    it('is removed with its bytes', withStore(async ({ store: { uploads }, files }) => {
      await uploads.create('u', 'r')
      await uploads.append('u', 0, from(fill(CHUNK_SIZE + 1)))
      await uploads.remove('u')
      assert.equal(await uploads.stat('u'), undefined)
      await assert.rejects(collect(uploads.read('u')), UploadUnknownError)
      if (files !== undefined) assert.equal(await files(), 0)
    }))

    it('is listed', withStore(async ({ store: { uploads } }) => {
      for (const id of ['c', 'a', 'b']) await uploads.create(id, `of-${id}`)
      await uploads.append('b', 0, from(text('xy')))
      const all = await uploads.list()
      assert.deepEqual(all.map(({ id, repository, size }) => [id, repository, size]), [['a', 'of-a', 0], ['b', 'of-b', 2], ['c', 'of-c', 0]])
      assert.deepEqual((await uploads.list({ after: 'a', limit: 1 })).map(({ id }) => id), ['b'])
      assert.deepEqual(await uploads.list({ after: 'c' }), [])
    }))

    it('goes on after a restart, and in another process', withStore(async ({ store, reopen, again }) => {
      const data = fill(3 * CHUNK_SIZE)
      const part = (i: number): Uint8Array => data.subarray(i * 700_000, (i + 1) * 700_000)
      await store.uploads.create('u', 'r')
      let size = 0
      let current = store
      for (let i = 0; size < data.byteLength; i++) {
        size = await current.uploads.append('u', size, from(part(i)))
        if (i === 1 && reopen !== undefined) current = await reopen()
        else if (i === 2 && again !== undefined) current = await again()
      }
      await current.commit({ uploads: [{ id: 'u', path: 'p', digest: digestOf(data) }] })
      assert.deepEqual(await collect(current.read('p')), bytes(data))
    }))

    it('takes many at once', withStore(async ({ store }) => {
      await Promise.all(Array.from({ length: 8 }, async (_, i) => {
        const data = fill(CHUNK_SIZE + i * 1000, i + 1)
        await store.uploads.create(`u${i}`, 'r')
        await store.uploads.append(`u${i}`, 0, from(data.subarray(0, 5000), data.subarray(5000)))
        await store.commit({ uploads: [{ id: `u${i}`, path: `p/${i}`, digest: digestOf(data) }] })
        assert.deepEqual(await collect(store.read(`p/${i}`)), bytes(data))
      }))
      assert.equal((await store.list('p')).length, 8)
    }))
  })
}
