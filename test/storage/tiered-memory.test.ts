import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import pino from 'pino'
import { tierPlaces } from '../../src/global/tier-places.ts'
import { blobData, uploadPlaces as places } from '../../src/registry/paths.ts'
import { FilesystemStore } from '../../src/storage/filesystem/store.ts'
import { TieredStore } from '../../src/storage/tiered/store.ts'
import { fill } from '../contract/bytes.ts'

const MIB = 1024 * 1024
const SIZE = 300

async function* blob(): AsyncGenerator<Uint8Array> {
  const chunk = fill(MIB)
  for (let i = 0; i < SIZE; i++) {
    chunk[0] = i % 256
    yield chunk
  }
}

it('a tier copies a large blob with little of it in memory, also while it is followed', { timeout: 120_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'disco-tier-'))
  const authority = await FilesystemStore.open(join(directory, 'authority'), { places })
  const copy = await FilesystemStore.open(join(directory, 'copy'), { places })
  const store = new TieredStore({ authority, copy, places: tierPlaces, first: 'copy', log: pino({ level: 'silent' }) })
  const hash = createHash('sha256')
  for await (const chunk of blob()) hash.update(chunk)
  const digest = { algorithm: 'sha256', hex: hash.digest('hex') } as const
  const path = blobData(digest)
  await authority.uploads.create('u', 'name')
  await authority.uploads.append('u', 0, blob())
  await authority.commit({ uploads: [{ id: 'u', path, digest }] })
  globalThis.gc?.()
  const used = (): number => {
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const before = used()
  let most = 0
  const timer = setInterval(() => (most = Math.max(most, used() - before)), 5)
  let size = 0
  for await (const chunk of store.read(path)) size += chunk.byteLength
  await store.idle()
  clearInterval(timer)
  assert.equal(size, SIZE * MIB)
  assert.equal((await copy.stat(path))?.size, SIZE * MIB)
  assert.ok(most < 100 * MIB, `${Math.round(most / MIB)} MiB`)
  await store.close()
  await authority.close()
  await copy.close()
  await rm(directory, { recursive: true })
})
