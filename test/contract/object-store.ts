import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { digestOf } from '../../src/oci/digest.ts'
import { ConflictError, ObjectUnknownError } from '../../src/storage/errors.ts'
import { CHUNK_SIZE, type Change, type ChunkHashes, type ObjectStore } from '../../src/storage/object-store.ts'
import { bytes, collect, fill, listAll, text } from './bytes.ts'
import { uploadStoreContract } from './upload-store.ts'

export type Store = ObjectStore & Partial<ChunkHashes>

export interface OpenedStore {
  readonly store: Store
  /** No object can be where others are below it. @default false */
  readonly leavesOnly?: boolean
  /** It can't list names that have control characters. @default false */
  readonly plainNames?: boolean
  /** It sorts by UTF-16, which is another order where a name has characters of two units. @default false */
  readonly sortsByUnits?: boolean
  /** How coarse the times of objects are, in milliseconds. @default 20 */
  readonly tick?: number
  /** Closes the store and opens what it left. */
  reopen?(): Promise<Store>
  /** Opens the same data once more, as another process would. */
  again?(): Promise<Store>
  /** Files that hold bytes of objects and uploads now, once clean-up has come to rest. */
  files?(): Promise<number>
  close(): Promise<void>
}

/** What every ObjectStore promises. `open` gives an empty one. */
export function objectStoreContract(name: string, open: () => Promise<OpenedStore>): void {
  const withStore = (run: (opened: OpenedStore & { store: Store }) => Promise<void>) => async (): Promise<void> => {
    const opened = await open()
    try {
      await run(opened)
    } finally {
      await opened.close()
    }
  }
  const put = (store: Store, ...paths: string[]): Promise<void> =>
    store.commit({ changes: paths.map((path) => ({ put: path, data: text(path) })) })

  describe(`${name}: objects`, () => {
    it('proves an absence', withStore(async ({ store }) => {
      await put(store, 'a/b')
      for (const path of ['x', 'a', 'a/b/c']) {
        assert.equal(await store.stat(path), undefined)
        assert.equal(await store.get(path), undefined)
        await assert.rejects(collect(store.read(path)), ObjectUnknownError)
      }
      assert.deepEqual(await store.list('x'), [])
      assert.deepEqual(await store.list('a/b'), [])
    }))

    it('gives back what was put, and the newest of it', withStore(async ({ store, tick = 20 }) => {
      const before = Date.now()
      await put(store, 'a/b')
      await store.commit({ changes: [{ put: 'a/b', data: text('new') }, { put: 'empty', data: new Uint8Array() }] })
      assert.deepEqual(bytes(await store.get('a/b')), text('new'))
      const stat = await store.stat('a/b')
      assert.equal(stat?.size, 3)
      assert.ok(stat.modifiedAt >= before - tick && stat.modifiedAt <= Date.now() + 1)
      assert.deepEqual(bytes(await store.get('empty')), text(''))
      assert.equal((await store.stat('empty'))?.size, 0)
      assert.equal((await collect(store.read('empty'))).byteLength, 0)
    }))

    it('keeps its own copy of what was put', withStore(async ({ store }) => {
      const data = text('mine')
      await store.commit({ changes: [{ put: 'a', data }] })
      data.fill(0)
      assert.deepEqual(bytes(await store.get('a')), text('mine'))
    }))

    it('refuses what is no path', withStore(async ({ store }) => {
      for (const path of ['', '/a', 'a/', 'a//b', '.', 'a/../b', 'a\0b']) {
        await assert.rejects(store.get(path), TypeError)
        await assert.rejects(store.commit({ changes: [{ put: path, data: text('x') }] }), TypeError)
        await assert.rejects(store.commit({ changes: [{ delete: path }] }), TypeError)
      }
    }))

    it('reads ranges', withStore(async ({ store }) => {
      const data = fill(3 * CHUNK_SIZE + 17)
      await store.uploads.create('u', 'r')
      await store.uploads.append('u', 0, fromBytes(data))
      await store.commit({ uploads: [{ id: 'u', path: 'big', digest: digestOf(data) }], changes: [{ put: 'small', data: data.subarray(0, 100) }] })
      for (const [path, size] of [['big', data.byteLength], ['small', 100]] as const) {
        for (const [start, length] of [[0, 0], [0, 1], [5, 20], [size - 3, 3], [size - 3, 100], [size, 5], [size + 9, 5], [1, undefined]] as const) {
          const end = length === undefined ? size : Math.min(size, start + length)
          assert.deepEqual(await collect(store.read(path, { start, length })), bytes(data.subarray(start, Math.max(start, end))), `${path} ${start}+${length}`)
        }
      }
      assert.deepEqual(await collect(store.read('big', { start: CHUNK_SIZE - 5, length: CHUNK_SIZE + 10 })), bytes(data.subarray(CHUNK_SIZE - 5, 2 * CHUNK_SIZE + 5)))
      assert.deepEqual(bytes(await store.get('big')), bytes(data))
    }))

    it('stops reading where the reader stops', withStore(async ({ store }) => {
      await put(store, 'a')
      for await (const chunk of store.read('a')) {
        assert.equal(chunk.byteLength, 1)
        break
      }
      assert.deepEqual(await collect(store.read('a')), text('a'))
    }))

    it('lists children once, by their bytes, objects and directories alike', withStore(async ({ store, leavesOnly, plainNames, sortsByUnits }) => {
      const names = ['a', 'a!', 'a-b', 'a.b', 'a0', 'aa', 'b', 'Z', 'é', 'z', '\uffee', ...(sortsByUnits === true ? [] : ['\u{1f600}']), ...(plainNames === true ? [] : ['a\u0001']), '%', '_', '~']
      const paths = [...names, 'a/b', 'a/b/c', 'a/b-c', 'a-b/x', 'b/x/y/z', 'b/x/y', 'only/deep/er']
      await put(store, ...(leavesOnly === true ? leavesOf(paths) : paths))
      const sorted = [...names, 'only'].sort((a, b) => Buffer.compare(text(a), text(b)))
      assert.deepEqual(await store.list(''), sorted)
      assert.deepEqual(await store.list('a'), ['b', 'b-c'])
      assert.deepEqual(await store.list('a/b'), ['c'])
      assert.deepEqual(await store.list('b'), ['x'])
      assert.deepEqual(await store.list('only'), ['deep'])
      assert.deepEqual(await store.list('onl'), [])
      for (const limit of [1, 2, 3, 100]) assert.deepEqual(await listAll(store, '', limit), sorted)
      assert.deepEqual(await store.list('', { limit: 0 }), [])
      assert.deepEqual(await store.list('', { after: 'nothing' }), sorted.filter((n) => Buffer.compare(text(n), text('nothing')) > 0))
    }))

    it('pages through a directory of many, each with much below', withStore(async ({ store }) => {
      const changes: Change[] = []
      for (let i = 0; i < 60; i++) for (let j = 0; j < 20; j++) changes.push({ put: `d/${i}/x/${j}`, data: text('') })
      await store.commit({ changes })
      const all = await listAll(store, 'd', 7)
      assert.deepEqual(all, Array.from({ length: 60 }, (_, i) => String(i)).sort())
    }))

    it('deletes a path with all below it, and nothing beside it', withStore(async ({ store, leavesOnly = false }) => {
      const paths = ['a', 'a/b', 'a/b/c', 'a-b', 'a!', 'a0', 'ab', 'b']
      await put(store, ...(leavesOnly ? leavesOf(paths) : paths))
      await store.commit({ changes: [{ delete: 'a' }, { delete: 'nothing' }] })
      assert.deepEqual(await store.list(''), ['a!', 'a-b', 'a0', 'ab', 'b'])
      assert.deepEqual(await store.list('a'), [])
      await put(store, 'a/b/c', leavesOnly ? 'a/d' : 'a/b')
      await store.commit({ changes: [{ delete: 'a/b/c' }] })
      assert.deepEqual(await store.list('a'), leavesOnly ? ['d'] : ['b'])
    }))

    it('does the changes of a batch in their order', withStore(async ({ store }) => {
      await put(store, 'a/old')
      await store.commit({ changes: [{ delete: 'a' }, { put: 'a/new', data: text('1') }, { put: 'b', data: text('2') }, { delete: 'b' }] })
      assert.deepEqual(await store.list('a'), ['new'])
      assert.equal(await store.get('b'), undefined)
    }))

    it('commits nothing when an expectation does not hold', withStore(async ({ store }) => {
      await put(store, 'd/a', 'd/b/c', 'x')
      const changes: Change[] = [{ put: 'y', data: text('') }, { delete: 'x' }]
      for (const names of [[], ['a'], ['b'], ['a', 'b', 'c'], ['b', 'a']]) {
        await assert.rejects(store.commit({ expect: [{ directory: 'd', names }], changes }), ConflictError)
      }
      await assert.rejects(store.commit({ expect: [{ directory: 'd', names: ['a', 'b'] }, { directory: 'none', names: ['a'] }], changes }), ConflictError)
      assert.deepEqual(await store.list(''), ['d', 'x'])
      await store.commit({ expect: [{ directory: 'd', names: ['a', 'b'] }, { directory: 'none', names: [] }], changes })
      assert.deepEqual(await store.list(''), ['d', 'y'])
    }))

    it('commits nothing when an object is not as expected', withStore(async ({ store }) => {
      await store.commit({ changes: [{ put: 'd/a', data: text('one') }, { put: 'empty', data: text('') }] })
      const changes: Change[] = [{ put: 'y', data: text('') }, { delete: 'd/a' }]
      for (const [path, data] of [['d/a', text('two')], ['d/a', text('on')], ['d/a', text('')], ['d/a', undefined], ['none', text('')], ['d', text('one')], ['empty', undefined]] as const) {
        await assert.rejects(store.commit({ expect: [{ path, data }], changes }), ConflictError, `${path} ${data}`)
      }
      await assert.rejects(store.commit({ expect: [{ path: 'd/a', data: text('one') }, { path: 'empty', data: text('x') }], changes }), ConflictError)
      assert.deepEqual(await store.list(''), ['d', 'empty'])
      await store.commit({ expect: [{ path: 'd/a', data: text('one') }, { path: 'none', data: undefined }, { path: 'd', data: undefined }, { path: 'empty', data: text('') }], changes })
      assert.deepEqual(await store.list(''), ['empty', 'y'])
    }))

    it('lets one of several commits that expect the same object win', withStore(async ({ store, again }) => {
      const other = (await again?.()) ?? store
      await put(store, 'a')
      const outcomes = await Promise.allSettled(Array.from({ length: 10 }, (_, i) =>
        (i % 2 === 0 ? store : other).commit({ expect: [{ path: 'a', data: text('a') }], changes: [{ put: 'a', data: text(String(i)) }] })))
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    }))

    it('lets one of several commits that expect the same win', withStore(async ({ store, again }) => {
      const other = (await again?.()) ?? store
      const outcomes = await Promise.allSettled(
        Array.from({ length: 10 }, (_, i) =>
          (i % 2 === 0 ? store : other).commit({ expect: [{ directory: 'd', names: [] }], changes: [{ put: `d/${i}`, data: text('') }] }),
        ),
      )
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
      for (const outcome of outcomes) if (outcome.status === 'rejected') assert.ok(outcome.reason instanceof ConflictError)
      assert.equal((await other.list('d')).length, 1)
    }))

    it('never shows half of a commit', withStore(async ({ store }) => {
      const first: Change[] = [{ put: 'a', data: text('0') }, { put: 'b', data: text('0') }]
      await store.commit({ changes: first })
      const writes = Array.from({ length: 20 }, (_, i) => store.commit({ changes: [{ delete: 'a' }, { put: 'b', data: text(String(i)) }, { put: 'a', data: text(String(i)) }] }))
      for (let i = 0; i < 20; i++) assert.deepEqual(await store.list(''), ['a', 'b'])
      await Promise.all(writes)
      assert.deepEqual(bytes(await store.get('a')), text('19'))
    }))

    it('does nothing for a signal that has aborted', withStore(async ({ store }) => {
      await put(store, 'a')
      const signal = AbortSignal.abort(new Error('gone'))
      await assert.rejects(store.stat('a', { signal }), /gone/)
      await assert.rejects(store.get('a', { signal }), /gone/)
      await assert.rejects(store.list('', { signal }), /gone/)
      await assert.rejects(collect(store.read('a', { signal })), /gone/)
      await assert.rejects(store.commit({ changes: [{ delete: 'a' }] }, { signal }), /gone/)
      assert.deepEqual(await store.list(''), ['a'])
    }))

    it('stops a read when the signal aborts', withStore(async ({ store }) => {
      const data = fill(4 * CHUNK_SIZE)
      await store.uploads.create('u', 'r')
      await store.uploads.append('u', 0, fromBytes(data))
      await store.commit({ uploads: [{ id: 'u', path: 'big', digest: digestOf(data) }] })
      const controller = new AbortController()
      const read = async (): Promise<void> => {
        for await (const chunk of store.read('big', { signal: controller.signal })) if (chunk.byteLength > 0) controller.abort(new Error('gone'))
      }
      await assert.rejects(read(), /gone/)
    }))

    it('keeps everything over a restart', withStore(async ({ store, reopen }) => {
      if (reopen === undefined) return
      const data = fill(CHUNK_SIZE + 1)
      await store.uploads.create('u', 'r')
      await store.uploads.append('u', 0, fromBytes(data))
      await store.commit({ uploads: [{ id: 'u', path: 'big', digest: digestOf(data) }], changes: [{ put: 'a/b', data: text('small') }] })
      const later = await reopen()
      assert.deepEqual(await later.list(''), ['a', 'big'])
      assert.deepEqual(bytes(await later.get('a/b')), text('small'))
      assert.deepEqual(await collect(later.read('big')), bytes(data))
    }))

    it('shows every store on the data what another has committed', withStore(async ({ store, again }) => {
      if (again === undefined) return
      const other = await again()
      await put(store, 'a')
      assert.deepEqual(bytes(await other.get('a')), text('a'))
      await other.commit({ changes: [{ delete: 'a' }, { put: 'b', data: text('b') }] })
      assert.deepEqual(await store.list(''), ['b'])
      await Promise.all(Array.from({ length: 50 }, (_, i) => put(i % 2 === 0 ? store : other, `many/${i}`)))
      assert.equal((await store.list('many')).length, 50)
    }))

    it('hashes the chunks of an object', withStore(async ({ store }) => {
      const { chunkHashes } = store
      if (chunkHashes === undefined) return
      for (const size of [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE + 5]) {
        const data = fill(size)
        for (const algorithm of ['sha256', 'sha512'] as const) {
          const path = `o/${size}/${algorithm}`
          await store.uploads.create(path, 'r')
          await store.uploads.append(path, 0, fromBytes(data))
          await store.commit({ uploads: [{ id: path, path, digest: digestOf(data, algorithm) }] })
          assert.deepEqual(bytes(await chunkHashes.call(store, path)), chunked(data), `${size} ${algorithm}`)
          const unexpected = `${path}-unexpected`
          await store.uploads.create(unexpected, 'r')
          await store.uploads.append(unexpected, 0, fromBytes(data), { chunkHashes: false })
          await store.uploads.verify(unexpected, digestOf(data, algorithm))
          await store.commit({ uploads: [{ id: unexpected, path: unexpected, digest: digestOf(data, algorithm) }] })
          assert.deepEqual(bytes(await chunkHashes.call(store, unexpected)), chunked(data), `${size} ${algorithm} unexpected`)
        }
        await store.commit({ changes: [{ put: 'inline', data }] })
        assert.deepEqual(bytes(await chunkHashes.call(store, 'inline')), chunked(data), `${size} inline`)
      }
      await assert.rejects(chunkHashes.call(store, 'absent'), ObjectUnknownError)
    }))

    it('hashes the chunks of what is there, where the object goes or is put anew meanwhile', withStore(async ({ store, again, files }) => {
      if (store.chunkHashes === undefined || again === undefined || files === undefined) return
      // Written by another, so that this one has to compute.
      const other = await again()
      const data = fill(6 * CHUNK_SIZE)
      for (const path of ['anew', 'gone']) {
        await other.uploads.create(path, 'r')
        await other.uploads.append(path, 0, fromBytes(data))
        await store.commit({ uploads: [{ id: path, path, digest: digestOf(data, 'sha512') }] })
      }
      const hashes = Promise.allSettled([store.chunkHashes('anew'), store.chunkHashes('gone')])
      await other.commit({ changes: [{ put: 'anew', data: text('new') }, { delete: 'gone' }] })
      await files()
      const [anew, gone] = await hashes
      const whole = chunked(data)
      if (anew.status === 'rejected') throw anew.reason
      assert.ok([whole, chunked(text('new'))].some((expected) => expected.equals(anew.value)))
      if (gone.status === 'rejected') assert.ok(gone.reason instanceof ObjectUnknownError, String(gone.reason))
      else assert.deepEqual(bytes(gone.value), whole)
    }))

    it('leaves no file behind', withStore(async ({ store, files }) => {
      if (files === undefined) return
      const data = fill(CHUNK_SIZE + 1)
      const before = await files()
      for (const path of ['d/a', 'd/b', 'e']) {
        await store.uploads.create(path, 'r')
        await store.uploads.append(path, 0, fromBytes(data))
        await store.commit({ uploads: [{ id: path, path, digest: digestOf(data) }] })
      }
      assert.equal(await files(), before + 3)
      await store.commit({ changes: [{ delete: 'd' }, { put: 'e', data: text('small now') }] })
      await store.commit({ changes: [{ delete: 'e' }] })
      assert.equal(await files(), before)
    }))
  })

  uploadStoreContract(name, withStore)
}

function leavesOf(paths: readonly string[]): string[] {
  return paths.filter((path) => !paths.some((other) => other.startsWith(`${path}/`)))
}

async function* fromBytes(data: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < data.byteLength; i += 65_521) yield data.subarray(i, i + 65_521)
}

function chunked(data: Uint8Array): Buffer {
  const hashes: Buffer[] = []
  for (let i = 0; i < data.byteLength; i += CHUNK_SIZE) hashes.push(createHash('sha256').update(data.subarray(i, i + CHUNK_SIZE)).digest())
  return Buffer.concat(hashes)
}
