import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { CID } from 'multiformats/cid'
import { openWithOwnNode, type OwnStorage } from '../../src/assembly/own-node.ts'
import { globalNames } from '../../src/global/images.ts'
import { GlobalRegistry } from '../../src/global/global-registry.ts'
import { rescan } from '../../src/global/rescan.ts'
import { RegistryCore } from '../../src/registry/core.ts'
import { inRepository } from '../../src/registry/paths.ts'
import { silentLogger } from '../../src/telemetry/create-logger.ts'
import { indexOf, makeImage, pushBlobs, pushImage, putManifest, TestDisco } from './harness.ts'

/** A tree of files, and a Disco's data directory beside it that may be new. */
async function withTree(run: (open: (data: string) => Promise<OwnStorage>) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'disco-rescan-'))
  const opened: OwnStorage[] = []
  try {
    await run(async (data) => {
      await mkdir(join(directory, data), { recursive: true })
      const storage = await openWithOwnNode({ data: join(directory, data), storageFilesystem: join(directory, 'tree'), storageInmemory: false, readonly: false })
      opened.push(storage)
      return storage
    })
  } finally {
    for (const storage of opened) await storage.close()
    await rm(directory, { recursive: true, force: true })
  }
}

function registryOf({ store, index }: OwnStorage): GlobalRegistry {
  return new GlobalRegistry({ core: new RegistryCore(store), store, index, log: silentLogger() })
}

async function namesOf({ store }: OwnStorage): Promise<CID[]> {
  const names: CID[] = []
  for await (const name of globalNames(store)) names.push(name)
  return names
}

describe('a rescan', () => {
  it('gives images their blocks again that a new index lacks, and tells the network', () => withTree(async (open) => {
    const first = await open('data')
    const registry = registryOf(first)
    const images = [makeImage([2_500_000]), makeImage()]
    for (const image of images) {
      await pushBlobs(registry, 'multi', image)
      await putManifest(registry, 'multi', `sha256:${image.manifest.digest.hex}`, image.manifest)
    }
    const { cid } = await putManifest(registry, 'multi', 'latest', indexOf(images))
    const second = await open('new data')
    const provided: string[] = []
    const parts = { ...second, provides: { provide: async (roots: readonly CID[]) => void provided.push(...roots.map(String)) }, log: silentLogger() }
    assert.equal((await namesOf(second)).length, 3)
    assert.equal(await rescan(parts), 3)
    assert.ok(provided.includes(cid))
    const other = await TestDisco.open({ peers: [second.index.blocks] })
    try {
      await other.registry.cloneGlobalRepo(cid)
    } finally {
      await other.close()
    }
    assert.equal(await rescan(parts), 0)
  }))

  it('leaves an image that it can\'t lay out, and goes on with the others', () => withTree(async (open) => {
    const first = await open('data')
    const registry = registryOf(first)
    const { cid: broken } = await pushImage(registry, 'a', 'latest', makeImage())
    const { cid: whole } = await pushImage(registry, 'b', 'latest', makeImage())
    await first.store.commit({ changes: [{ put: inRepository(broken, 'disco.json'), data: Buffer.from('{"blobs":[{"digest":"no') }] })
    const second = await open('new data')
    assert.equal(await rescan({ ...second, provides: second.index, log: silentLogger() }), 1)
    for (const name of await namesOf(second)) assert.equal(await second.index.blocks.has(name), name.toString() === whole)
  }))
})
