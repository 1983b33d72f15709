import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { appendFile, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'node:test'
import { digestOf } from '../../src/oci/digest.ts'
import { DigestMismatchError, StorageFailedError } from '../../src/storage/errors.ts'
import { EmbeddedStore } from '../../src/storage/embedded/store.ts'
import type { UploadStat } from '../../src/storage/object-store.ts'
import { bytes, collect, fill, text } from '../contract/bytes.ts'

async function withDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'disco-store-'))
  try {
    await run(directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}

async function blobFiles(directory: string): Promise<string[]> {
  const entries = await readdir(join(directory, 'blobs'), { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
}

/** Lets a process work for a while and kills it; resolves with what it said had been committed. */
async function killed(directory: string, name: string, time: number): Promise<string[]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'embedded-writer.ts'), directory, name], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  const output = createInterface(child.stdout).on('line', (line) => lines.push(line))
  await once(output, 'line')
  await sleep(time)
  child.kill('SIGKILL')
  await once(child, 'close')
  return lines.filter((line) => line !== 'open')
}

async function* from(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

describe('EmbeddedStore after a crash', () => {
  it('has all that was acknowledged, whole, nothing by half, and no file too many', () => withDirectory(async (directory) => {
    for (let round = 0; round < 3; round++) {
      const said = await Promise.all(['a', 'b'].map((name) => killed(directory, `${name}${round}`, 150 + 250 * round)))
      const store = await EmbeddedStore.open(directory)
      const [blobs, links] = [await store.list('blobs'), await store.list('links')]
      assert.deepEqual(blobs, links)
      for (const id of said.flat()) {
        const [, worker, number] = id.split('-')
        const deleted = Number(number) % 3 === 1
        if (!deleted) assert.ok(blobs.includes(id), `${id} of worker ${worker}`)
      }
      for (const id of blobs) {
        const content = await collect(store.read(`blobs/${id}`))
        assert.equal(createHash('sha256').update(content).digest('hex'), String(bytes(await store.get(`links/${id}`))))
      }
      for (const { id } of await store.uploads.list()) await store.uploads.remove(id)
      while (store.database.get('SELECT 1 FROM doomed') !== undefined) await sleep(5)
      assert.equal((await blobFiles(directory)).length, blobs.length)
      await store.close()
    }
  }))

  it('goes on at once with an upload whose process is dead, where its durable bytes end', () => withDirectory(async (directory) => {
    const store = await EmbeddedStore.open(directory)
    let upload: UploadStat | undefined
    // It may be hit between two uploads.
    for (let time = 100; time < 400 && upload === undefined; time += 30) {
      await killed(directory, `x${time}`, time)
      ;[upload] = await store.uploads.list()
    }
    assert.ok(upload !== undefined)
    assert.equal((await collect(store.uploads.read(upload.id))).byteLength, upload.size)
    assert.equal(await store.uploads.append(upload.id, upload.size, from(text('more'))), upload.size + 4)
    const content = await collect(store.uploads.read(upload.id))
    assert.equal(content.byteLength, upload.size + 4)
    await store.commit({ uploads: [{ id: upload.id, path: 'p', digest: digestOf(content) }] })
    await store.close()
  }))

  it('does not take what a crashed append left behind for bytes of the upload', () => withDirectory(async (directory) => {
    const store = await EmbeddedStore.open(directory)
    await store.uploads.create('u', 'r')
    await store.uploads.append('u', 0, from(text('good')))
    const [file = ''] = await blobFiles(directory)
    await appendFile(join(directory, 'blobs', file.slice(0, 2), file), 'never acknowledged')
    assert.deepEqual(await collect(store.uploads.read('u')), text('good'))
    await store.uploads.verify('u', digestOf(text('good')))
    await store.uploads.append('u', 4, from(text('!')))
    await store.commit({ uploads: [{ id: 'u', path: 'p', digest: digestOf(text('good!')) }] })
    assert.deepEqual(await collect(store.read('p')), text('good!'))
    await store.close()
  }))

  it('hashes anew what another process has written in between', () => withDirectory(async (directory) => {
    const [one, two] = [await EmbeddedStore.open(directory), await EmbeddedStore.open(directory)]
    const data = fill(3_000_000)
    await one.uploads.create('u', 'r')
    await one.uploads.append('u', 0, from(data.subarray(0, 1_500_000)))
    await two.uploads.append('u', 1_500_000, from(data.subarray(1_500_000, 2_000_000)))
    await one.uploads.append('u', 2_000_000, from(data.subarray(2_000_000)))
    await assert.rejects(one.uploads.verify('u', digestOf(text('other'))), DigestMismatchError)
    await one.uploads.verify('u', digestOf(data))
    await two.commit({ uploads: [{ id: 'u', path: 'p', digest: digestOf(data) }] })
    assert.deepEqual(await collect(one.read('p')), bytes(data))
    await one.close()
    await two.close()
  }))

  it('says that bytes are missing, not that the object is unknown', () => withDirectory(async (directory) => {
    const store = await EmbeddedStore.open(directory)
    await store.uploads.create('u', 'r')
    await store.uploads.append('u', 0, from(text('good')))
    await store.commit({ uploads: [{ id: 'u', path: 'p', digest: digestOf(text('good')) }] })
    await rm(join(directory, 'blobs'), { recursive: true })
    await assert.rejects(store.get('p'), StorageFailedError)
    await assert.rejects(collect(store.read('p')), StorageFailedError)
    await store.close()
  }))
})
