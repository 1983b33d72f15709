import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { digestOf } from '../../src/oci/digest.ts'
import { uploadPlaces as places } from '../../src/registry/paths.ts'
import { StorageFailedError } from '../../src/storage/errors.ts'
import { Disk } from '../../src/storage/filesystem/disk.ts'
import { FilesystemStore } from '../../src/storage/filesystem/store.ts'
import { bytes, text } from '../contract/bytes.ts'

/** What a step of a disk fails with that has no room. */
function noRoom(): Error {
  return Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
}

/** A disk on which a step of a kind fails when a test wants it to. */
class FailingDisk extends Disk {
  fails: (step: 'makeDirectory' | 'rename' | 'writeNew' | 'removeAll', path: string) => boolean = () => false

  override async makeDirectory(path: string): Promise<void> {
    if (this.fails('makeDirectory', path)) throw noRoom()
    await super.makeDirectory(path)
  }

  override async rename(from: string, to: string): Promise<void> {
    if (this.fails('rename', to)) throw noRoom()
    await super.rename(from, to)
  }

  override async writeNew(path: string, data: Uint8Array, options: { readonly durable: boolean }): Promise<void> {
    if (this.fails('writeNew', path)) throw noRoom()
    await super.writeNew(path, data, options)
  }

  override async removeAll(path: string): Promise<void> {
    if (this.fails('removeAll', path)) throw noRoom()
    await super.removeAll(path)
  }
}

/** A disk that keeps account of a journal that was removed, and would be back after a power loss. */
class ForgetfulDisk extends Disk {
  back: { readonly path: string; readonly data: Buffer } | undefined

  override async unlink(path: string): Promise<void> {
    const data = basename(path) === 'commit.json' ? await readFile(path).catch(() => undefined) : undefined
    await super.unlink(path)
    if (data !== undefined) this.back = { path, data }
  }

  override async sync(directory: string): Promise<void> {
    await super.sync(directory)
    if (this.back !== undefined && directory === dirname(this.back.path)) this.back = undefined
  }
}

async function onTree<D extends Disk>(disk: D, run: (tree: { store: FilesystemStore; disk: D; root: string; reopen: () => Promise<FilesystemStore> }) => Promise<void>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'disco-journal-'))
  const opened: FilesystemStore[] = []
  const open = async (own: Disk): Promise<FilesystemStore> => {
    const store = await FilesystemStore.open(root, { places, disk: own })
    opened.push(store)
    return store
  }
  try {
    await run({ store: await open(disk), disk, root, reopen: () => open(new Disk()) })
  } finally {
    for (const store of opened) await store.close()
    await rm(root, { recursive: true })
  }
}

const put = (path: string, data = path) => ({ put: path, data: text(data) })

async function upload(store: FilesystemStore, id: string): Promise<void> {
  await store.uploads.create(id, 'r')
  await store.uploads.append(id, 0, (async function* () { yield text(id) })())
}

describe('the journal of a directory', () => {
  it('does nothing to later commits when a power loss brings it back', () => onTree(new ForgetfulDisk(), async ({ store, disk, reopen }) => {
    await store.commit({ changes: [put('a/1', 'old'), put('b')] })
    await store.commit({ changes: [{ delete: 'a/1' }, put('c')] })
    await store.commit({ changes: [put('a/1', 'new')] })
    if (disk.back !== undefined) await writeFile(disk.back.path, disk.back.data)
    assert.deepEqual(bytes(await (await reopen()).get('a/1')), text('new'))
  }))

  it('is not begun for a commit that finds no room for its directories: nothing changes, nothing is left, others go on', () => onTree(new FailingDisk(), async ({ store, disk, root }) => {
    disk.fails = (step, path) => step === 'makeDirectory' && path.endsWith('/deep')
    await assert.rejects(store.commit({ changes: [put('a/1'), put('b/deep/2')] }), StorageFailedError)
    assert.deepEqual(await store.list(''), [])
    await store.commit({ changes: [put('c/1'), put('d/2')] })
    assert.deepEqual(await store.list(''), ['c', 'd'])
    await store.close()
    assert.deepEqual(await readdir(join(root, '.disco/tmp')), [])
  }))

  it('that can\'t be written leaves no files', () => onTree(new FailingDisk(), async ({ store, disk, root }) => {
    disk.fails = (step, path) => step === 'rename' && path.endsWith('/commit.json')
    await assert.rejects(store.commit({ changes: [put('a'), put('b')] }), StorageFailedError)
    await store.close()
    assert.equal((await readdir(join(root, '.disco/tmp'))).length, 0)
    assert.deepEqual(await store.list(''), [])
  }))

  it('keeps an upload that it is about to move, until that is done', () => onTree(new FailingDisk(), async ({ store, disk }) => {
    for (const id of ['u1', 'u2']) await upload(store, id)
    disk.fails = (step, path) => step === 'rename' && path.endsWith('/o2')
    const uploads = ['u1', 'u2'].map((id) => ({ id, path: id.replace('u', 'o'), digest: digestOf(text(id)) }))
    await assert.rejects(store.commit({ uploads, changes: [put('visible')] }), StorageFailedError)
    await assert.rejects(store.uploads.remove('u2'), StorageFailedError)
    await assert.rejects(store.uploads.append('u2', 2, (async function* () { yield text('more') })()), StorageFailedError)
    disk.fails = () => false
    await store.uploads.remove('u2')
    assert.deepEqual(await store.list(''), ['o1', 'o2', 'visible'])
    assert.deepEqual(bytes(await store.get('o2')), text('u2'))
    assert.deepEqual(await store.uploads.list(), [])
  }))

  it('of another version, or damaged, is an error that says what to do', () => onTree(new Disk(), async ({ store, root }) => {
    for (const note of ['[{"delete":"a"', '{"version":9}', '[{"copy":"a","to":"b"}]', '[{"move":"a"}]']) {
      await writeFile(join(root, '.disco/commit.json'), note)
      await assert.rejects(store.commit({ changes: [put('a')] }), (error) => error instanceof StorageFailedError && /commit\.json is not what/.test(error.message))
    }
    await rm(join(root, '.disco/commit.json'))
    await store.commit({ changes: [put('a')] })
  }))

  it('has a commit done once it is, whatever becomes of its upload', () => onTree(new FailingDisk(), async ({ store, disk }) => {
    await upload(store, 'u')
    disk.fails = (step) => step === 'removeAll'
    await store.commit({ uploads: [{ id: 'u', path: 'o', digest: digestOf(text('u')) }] })
    assert.deepEqual(bytes(await store.get('o')), text('u'))
    assert.equal(await store.uploads.stat('u'), undefined)
  }))
})

describe('an upload that can\'t be begun', () => {
  it('leaves nothing', () => onTree(new FailingDisk(), async ({ store, disk, root }) => {
    disk.fails = (step, path) => step === 'writeNew' && path.endsWith('/startedat')
    await assert.rejects(store.uploads.create('u', 'some/name'), StorageFailedError)
    assert.deepEqual(await readdir(join(root, '.disco/uploads')), [])
    assert.deepEqual(await readdir(root), ['.disco'])
  }))
})
