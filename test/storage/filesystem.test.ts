import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { digestOf } from '../../src/oci/digest.ts'
import { uploadPlaces as places } from '../../src/registry/paths.ts'
import { ObjectUnknownError, StorageFailedError, UploadUnknownError } from '../../src/storage/errors.ts'
import { CommitLock } from '../../src/storage/filesystem/commit-lock.ts'
import { Disk } from '../../src/storage/filesystem/disk.ts'
import { RootedStore } from '../../src/storage/filesystem/rooted-store.ts'
import { FilesystemStore } from '../../src/storage/filesystem/store.ts'
import { bytes, collect, fill, text } from '../contract/bytes.ts'
import { objectStoreContract } from '../contract/object-store.ts'

for (const Store of [FilesystemStore, RootedStore]) objectStoreContract(Store.name, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'disco-tree-'))
  let store = await Store.open(directory, { places })
  const others: (FilesystemStore | RootedStore)[] = []
  return {
    store,
    leavesOnly: true,
    reopen: async () => {
      await store.close()
      store = await Store.open(directory, { places })
      return store
    },
    again: async () => {
      const other = await Store.open(directory, { places })
      others.push(other)
      return other
    },
    files: async () => {
      while ((await readdir(join(directory, '.disco/tmp'))).length > 0) await sleep(5)
      const entries = await readdir(directory, { recursive: true, withFileTypes: true })
      return entries.filter((entry) => entry.isFile() && !/^\.disco-chunks\.|^commit\.lock$|^reserve$/.test(entry.name)).length
    },
    close: async () => {
      for (const each of [store, ...others]) await each.close()
      await rm(directory, { recursive: true })
    },
  }
})

/** Reading one of them waits for somebody who writes, where it is opened as a file is. */
const NO_FILES = {
  'a pipe': (path: string) => promisify(execFile)('mkfifo', [path]),
  'a socket': async (path: string) => {
    const server = createServer().listen(path)
    await once(server, 'listening')
    return () => server.close()
  },
  'a device': (path: string) => symlink('/dev/zero', path),
}

describe('FilesystemStore', () => {
  for (const [what, make] of Object.entries(NO_FILES)) {
    it(`has no object where ${what} is, waits for none, and may put one there`, { timeout: 10_000 }, async (t) => {
      const directory = await mkdtemp(join(tmpdir(), 'disco-tree-'))
      const store = await FilesystemStore.open(directory, { places })
      await store.commit({ changes: [{ put: 'd/o', data: text('o') }] })
      const end = await make(join(directory, 'd/x'))
      t.after(() => (typeof end === 'function' ? end() : undefined))
      // More than there are threads.
      for (const found of await Promise.all(Array.from({ length: 20 }, () => store.get('d/x')))) assert.equal(found, undefined)
      assert.equal(await store.stat('d/x'), undefined)
      await assert.rejects(collect(store.read('d/x')), ObjectUnknownError)
      await assert.rejects(store.chunkHashes('d/x'), ObjectUnknownError)
      assert.deepEqual(await store.list('d'), ['o'])
      await store.commit({ expect: [{ path: 'd/x', data: undefined }], changes: [{ put: 'd/x', data: text('x') }] })
      assert.deepEqual(bytes(await store.get('d/x')), text('x'))
      await store.close()
      await rm(directory, { recursive: true })
    })
  }

  it('takes pipes among what it notes for itself for nothing', { timeout: 10_000 }, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'disco-tree-'))
    const store = await FilesystemStore.open(directory, { places })
    const data = bytes(fill(3_000_000))
    await store.uploads.create('u', 'some/name')
    await store.uploads.append('u', 0, (async function* () { yield data })())
    await store.commit({ uploads: [{ id: 'u', path: 'o', digest: digestOf(data) }] })
    const hashes = bytes(await store.chunkHashes('o'))
    for (const path of ['.disco-chunks.o', '.disco/commit.json']) {
      await rm(join(directory, path), { force: true })
      await promisify(execFile)('mkfifo', [join(directory, path)])
    }
    assert.deepEqual(bytes(await store.chunkHashes('o')), hashes)
    await store.commit({ changes: ['1', '2'].map((put) => ({ put, data: text(put) })) })
    await store.close()
    await rm(directory, { recursive: true })
  })

  it('lets others commit, however many it has to commit itself', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'disco-tree-'))
    const [busy, other] = [await FilesystemStore.open(directory, { places }), await FilesystemStore.open(directory, { places })]
    const put = (path: string) => ({ changes: [{ put: path, data: Buffer.from(path) }] })
    const deadline = Date.now() + 10_000
    const done = new AbortController()
    const working = Promise.all(Array.from({ length: 10 }, async (_, worker) => {
      for (let i = 0; !done.signal.aborted && Date.now() < deadline; i++) await busy.commit(put(`busy/${worker}-${i}`))
    }))
    await other.commit(put('other'))
    done.abort()
    assert.ok(Date.now() < deadline, 'it came after all others')
    await working
    await Promise.all([busy.close(), other.close()])
    await rm(directory, { recursive: true })
  })

  it('says of an object below another that it can\'t be, and goes on', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'disco-tree-'))
    const store = await FilesystemStore.open(directory, { places })
    const data = Buffer.from('x')
    await assert.rejects(store.commit({ changes: [{ put: 'a', data }, { put: 'a/b', data }] }), StorageFailedError)
    await assert.rejects(store.commit({ changes: [{ put: 'c/d', data }, { put: 'c', data }] }), StorageFailedError)
    await store.commit({ changes: [{ put: 'e', data }, { put: 'f', data }] })
    assert.ok((await store.list('')).includes('f'))
    await store.close()
    await rm(directory, { recursive: true })
  })
})

/** A disk that can be stopped where a commit is being noted. */
class HaltingDisk extends Disk {
  readonly reached = Promise.withResolvers<void>()
  /** A test that fails in between has to come to its end as well. */
  readonly goOn: PromiseWithResolvers<void> = Promise.withResolvers()
  halts = false

  constructor() {
    super()
    setTimeout(this.goOn.resolve, 10_000).unref()
  }

  override async rename(from: string, to: string): Promise<void> {
    if (this.halts && to.endsWith('/commit.json')) {
      this.reached.resolve()
      await this.goOn.promise
    }
    await super.rename(from, to)
  }
}

describe('a directory that goes while it is open', () => {
  const two = (name: string) => ({ changes: [`${name}/1`, `${name}/2`].map((path) => ({ put: path, data: text(path) })) })

  async function inDirectory(run: (root: string, open: (disk?: Disk) => Promise<FilesystemStore>) => Promise<void>): Promise<void> {
    const root = await mkdtemp(join(tmpdir(), 'disco-gone-'))
    const opened: FilesystemStore[] = []
    try {
      await run(root, async (disk) => {
        const store = await FilesystemStore.open(root, { places, disk })
        opened.push(store)
        return store
      })
    } finally {
      for (const store of opened) await store.close()
      await rm(root, { recursive: true, force: true })
    }
  }

  /** At once: what is still tidied up there must not make it come back meanwhile. */
  async function takeAway(directory: string): Promise<void> {
    await rename(directory, `${directory}-away`)
    await rm(`${directory}-away`, { recursive: true })
  }

  async function usesAll(store: FilesystemStore): Promise<void> {
    await store.commit(two('a'))
    const data = text('upload')
    await store.uploads.create('u', 'some/name')
    await store.uploads.append('u', 0, (async function* () { yield data })())
    await store.commit({ uploads: [{ id: 'u', path: 'o', digest: digestOf(data) }] })
    await store.commit({ changes: [{ delete: 'a' }, { put: 'b', data }] })
    assert.deepEqual(await store.list(''), ['b', 'o'])
    assert.deepEqual(bytes(await store.get('o')), data)
    await store.commit({ changes: [{ delete: 'b' }, { delete: 'o' }] })
  }

  for (const [what, clear] of [
    ['the whole of it', takeAway],
    ['a file in its place, and then an empty one', async (root: string) => {
      await takeAway(root)
      await writeFile(root, '')
      await rm(root)
      await mkdir(root)
    }],
    ['what is Disco\'s own', (root: string) => takeAway(join(root, '.disco'))],
    ['what is aside', async (root: string) => {
      for (const name of ['tmp', 'uploads']) await takeAway(join(root, '.disco', name))
    }],
  ] as const) {
    it(`is used again: ${what}`, () => inDirectory(async (root, open) => {
      const [store, other] = [await open(), await open()]
      for (const each of [store, other, store]) {
        await usesAll(each)
        await clear(root)
      }
      // Whatever comes first.
      await store.uploads.create('u', 'some/name')
      await store.uploads.remove('u')
      await store.commit(two('a'))
      await clear(root)
      await store.commit({ changes: [{ delete: 'a' }] })
      assert.deepEqual(await store.list('a'), [])
    }))
  }

  it('fails as a file, and for no longer', () => inDirectory(async (root, open) => {
    const store = await open()
    await takeAway(root)
    await writeFile(root, '')
    await assert.rejects(store.commit(two('a')), StorageFailedError)
    await assert.rejects(store.commit({ changes: [{ delete: 'a' }] }), StorageFailedError)
    await assert.rejects(store.uploads.create('u', 'some/name'), StorageFailedError)
    await rm(root)
    await usesAll(store)
  }))

  it('is changed by one at a time, also by who had it open before', () => inDirectory(async (root, open) => {
    const disk = new HaltingDisk()
    const [busy, other] = [await open(disk), await open()]
    await takeAway(root)
    disk.halts = true
    const committing = busy.commit(two('busy'))
    await disk.reached.promise
    let isDone = false
    const waiting = other.commit(two('other')).then(() => (isDone = true))
    await sleep(100)
    assert.equal(isDone, false)
    disk.goOn.resolve()
    await Promise.all([committing, waiting])
    assert.deepEqual(await other.list(''), ['busy', 'other'])
  }))

  it('is not waited for where it was, and takes nothing that was begun there', () => inDirectory(async (root, open) => {
    const disk = new HaltingDisk()
    const [busy, other] = [await open(disk), await open()]
    const data = text('upload')
    await other.uploads.create('u', 'some/name')
    await other.uploads.append('u', 0, (async function* () { yield data })())
    disk.halts = true
    const committing = busy.commit(two('busy'))
    committing.catch(() => {})
    await disk.reached.promise
    const finishing = assert.rejects(other.commit({ uploads: [{ id: 'u', path: 'o', digest: digestOf(data) }] }), UploadUnknownError)
    const waiting = other.commit(two('other'))
    await sleep(50)
    await takeAway(root)
    // What it had staged has gone with it.
    await Promise.race([waiting, sleep(5000, undefined, { ref: false })])
    assert.deepEqual(await other.list(''), ['other'])
    disk.goOn.resolve()
    await Promise.all([waiting, finishing])
    await assert.rejects(committing, StorageFailedError)
    assert.deepEqual(await other.list(''), ['other'])
    disk.halts = false
    await busy.commit(two('busy'))
    assert.deepEqual(await other.list(''), ['busy', 'other'])
  }))

  it('lets no commit be done that may not have been alone', () => inDirectory(async (root) => {
    const lock = new CommitLock(join(root, 'lock'))
    await assert.rejects(lock.hold(Promise.resolve(), () => rm(join(root, 'lock'))), StorageFailedError)
    assert.equal(await lock.hold(Promise.resolve(1), async (prepared) => prepared), 1)
    await lock.close()
  }))
})

describe('a directory of images', () => {
  async function drained(source: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const _ of source);
  }

  /** Whatever is asked. */
  async function failsInAll(store: RootedStore, id: string): Promise<void> {
    const data = text('upload')
    const digest = digestOf(data)
    const asked: Readonly<Record<string, () => Promise<unknown>>> = {
      stat: () => store.stat('a'),
      get: () => store.get('a'),
      read: () => drained(store.read('a')),
      list: () => store.list(''),
      chunkHashes: () => store.chunkHashes('a'),
      commit: () => store.commit({ changes: [{ put: 'b', data }] }),
      'commit of an upload': () => store.commit({ uploads: [{ id, path: 'o', digest }] }),
      'an expectation': () => store.commit({ expect: [{ path: 'a', data: undefined }] }),
      'uploads.create': () => store.uploads.create('other', 'some/name'),
      'uploads.stat': () => store.uploads.stat(id),
      'uploads.append': () => store.uploads.append(id, 6, (async function* () { yield data })()),
      'uploads.read': () => drained(store.uploads.read(id)),
      'uploads.verify': () => store.uploads.verify(id, digest),
      'uploads.remove': () => store.uploads.remove(id),
      'uploads.list': () => store.uploads.list(),
    }
    for (const [what, ask] of Object.entries(asked)) await assert.rejects(ask(), (error) => error instanceof StorageFailedError && /directory of the images, .*: mount or put it back/.test(error.message), what)
  }

  for (const [what, put] of [
    ['nothing', async () => {}],
    ['an empty directory', (root: string) => mkdir(root)],
    ['a directory with images of its own', async (root: string) => {
      const other = await FilesystemStore.open(root, { places })
      await other.commit({ changes: [{ put: 'a', data: text('of another') }] })
      await other.close()
    }],
    ['a file', (root: string) => writeFile(root, '')],
  ] as const) {
    it(`fails while ${what} is in its place, changes nothing there, and goes on when it is back`, async () => {
      const parent = await mkdtemp(join(tmpdir(), 'disco-rooted-'))
      const [root, away] = [join(parent, 'root'), join(parent, 'away')]
      const store = await RootedStore.open(root, { places })
      try {
        const data = text('upload')
        await store.commit({ changes: [{ put: 'a', data: text('a') }] })
        await store.uploads.create('u', 'some/name')
        await store.uploads.append('u', 0, (async function* () { yield data })())
        await rename(root, away)
        await put(root)
        const before = await readdir(parent, { recursive: true })
        await failsInAll(store, 'u')
        assert.deepEqual(await readdir(parent, { recursive: true }), before)
        await rm(root, { recursive: true, force: true })
        await rename(away, root)
        await store.commit({ uploads: [{ id: 'u', path: 'o', digest: digestOf(data) }], changes: [{ put: 'b', data }] })
        assert.deepEqual(await store.list(''), ['a', 'b', 'o'])
        assert.deepEqual(bytes(await store.get('a')), text('a'))
      } finally {
        await store.close()
        await rm(parent, { recursive: true })
      }
    })
  }

  it('is not the one that was made anew at its path', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'disco-rooted-'))
    const root = join(parent, 'root')
    await mkdir(root)
    await sleep(20)
    const store = await RootedStore.open(root, { places })
    try {
      // It is often given the number that the other had.
      for (let time = 0; time < 10; time++) {
        await rm(root, { recursive: true })
        await mkdir(root)
        await assert.rejects(store.get('a'), /is another one than was opened/)
      }
    } finally {
      await store.close()
      await rm(parent, { recursive: true })
    }
  })

  it('that has gone is no reason for who has given up', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'disco-rooted-'))
    const root = join(parent, 'root')
    const store = await RootedStore.open(root, { places })
    try {
      await rm(root, { recursive: true })
      const signal = AbortSignal.abort(new Error('given up'))
      await assert.rejects(store.get('a', { signal }), /^Error: given up/)
      await assert.rejects(drained(store.read('a', { signal })), /^Error: given up/)
      await assert.rejects(store.commit({ changes: [{ put: 'a', data: text('a') }] }, { signal }), /^Error: given up/)
    } finally {
      await store.close()
      await rm(parent, { recursive: true })
    }
  })

  it('acknowledges nothing that was under way when it went', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'disco-rooted-'))
    const [root, away] = [join(parent, 'root'), join(parent, 'away')]
    const disk = new HaltingDisk()
    const store = await RootedStore.open(root, { places, disk })
    try {
      await store.uploads.create('u', 'some/name')
      const [reached, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const appending = store.uploads.append('u', 0, (async function* () {
        yield text('first')
        reached.resolve()
        await goOn.promise
        yield text('later')
      })())
      disk.halts = true
      const committing = store.commit({ changes: ['1', '2'].map((put) => ({ put, data: text(put) })) })
      const failing = [appending, committing].map((each) => assert.rejects(each, /is another one than was opened/))
      await Promise.all([reached.promise, disk.reached.promise])
      await rename(root, away)
      await mkdir(root)
      goOn.resolve()
      disk.goOn.resolve()
      await Promise.all(failing)
    } finally {
      await store.close()
      await rm(parent, { recursive: true })
    }
  })
})
