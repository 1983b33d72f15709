import { rmSync, writeSync, openSync, closeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { StorageFailedError } from '../../src/storage/errors.ts'
import { uploadPlaces as places } from '../../src/registry/paths.ts'
import { EmbeddedStore } from '../../src/storage/embedded/store.ts'
import { FilesystemStore } from '../../src/storage/filesystem/store.ts'

/** Fills the medium of a store, and tells what still works. `other` is a file of somebody else on it. */
const [directory = '', other = '', kind = ''] = process.argv.slice(2)
const store = kind === 'filesystem' ? await FilesystemStore.open(directory, { places }) : await EmbeddedStore.open(directory)
const done: string[] = []

async function* bytes(mebibytes: number): AsyncGenerator<Uint8Array> {
  for (let chunk = 0; chunk < mebibytes; chunk++) yield Buffer.alloc(1024 * 1024, chunk + 1)
}

/** To the last byte. */
function fillUp(): void {
  const fd = openSync(other, 'a')
  try {
    for (let size = 1024 * 1024; size >= 1; ) {
      try {
        if (writeSync(fd, Buffer.alloc(size, 1)) < size) size >>= 1
      } catch {
        size >>= 1
      }
    }
  } finally {
    closeSync(fd)
  }
}

/** Until the database finds no room either, be it that it still has some of its own. */
async function exhaust(): Promise<void> {
  fillUp()
  for (let round = 0; round < 2_000; round++) {
    try {
      await store.commit({ changes: [{ put: `filling/${Math.random()}`, data: Buffer.alloc(20_000, 1) }] })
    } catch (error) {
      if (!(error instanceof StorageFailedError)) throw error
      fillUp()
      done.push('full')
      return
    }
  }
}

await store.uploads.create('a', 'r')
await store.uploads.append('a', 0, bytes(1))
await store.uploads.create('empty', 'r')
await store.commit({ changes: ['small/a', 'small/b'].map((path) => ({ put: path, data: Buffer.alloc(1000) })) })

await exhaust()
await store.commit({ changes: [{ put: 'a note of it', data: Buffer.alloc(300) }, { delete: 'small/a' }, { delete: 'small/b' }] })
done.push('deleted')
await store.uploads.remove('empty')
await store.uploads.remove('a')
done.push('cancelled')

await sleep(100)
await store.uploads.create('b', 'r')
await store.uploads.append('b', 0, bytes(9)).catch(() => {})
await exhaust()
await store.uploads.remove('b')
done.push('cancelled')
rmSync(other)
await store.uploads.create('c', 'r')
await store.uploads.append('c', 0, bytes(2))
done.push('taken')
await store.close()
console.log(done.join(', '))
