import assert from 'node:assert/strict'
import { mkdtemp, rename, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { CID } from 'multiformats/cid'
import { openWithOwnNode, type OwnStorage } from '../../src/assembly/own-node.ts'
import { createDisco, type Disco, type DiscoOptions } from '../../src/disco.ts'
import { cidOf, RAW } from '../../src/ipfs/unixfs/block.ts'
import { chunkHashesOf, layoutFile } from '../../src/ipfs/unixfs/file-layout.ts'
import { pushImage } from '../cli/image.ts'

const LOCAL = { network: 'private', host: '127.0.0.1', port: 0, listen: ['/ip4/127.0.0.1/tcp/0'], cloneTimeout: 3_000 } as const

interface Running {
  readonly disco: Disco
  readonly url: string
  readonly address: string
}

/** Discos below one directory: they are stopped before it goes. */
class Scene {
  readonly base: string
  readonly #discos: Disco[] = []

  private constructor(base: string) {
    this.base = base
  }

  static async begin(t: TestContext): Promise<Scene> {
    const scene = new Scene(await mkdtemp(join(tmpdir(), 'disco-other-storage-')))
    t.after(async () => {
      for (const disco of scene.#discos) await disco.stop()
      await rm(scene.base, { recursive: true, force: true })
    })
    return scene
  }

  async start(options: DiscoOptions): Promise<Running> {
    const disco = await createDisco({ ...LOCAL, ...options })
    this.#discos.push(disco)
    let address = ''
    const url = await disco.start({ onNode: (info) => (address = info?.addresses[0] ?? '') })
    return { disco, url, address }
  }
}

async function open(data: string, storageFilesystem: string | undefined): Promise<OwnStorage> {
  return openWithOwnNode({ data, storageFilesystem, storageInmemory: false, readonly: false })
}

async function rawStatus({ url }: Running, cid: CID): Promise<number> {
  const answer = await fetch(`${url}/ipfs/${cid}?format=raw`)
  await answer.arrayBuffer()
  return answer.status
}

async function pullStatus({ url }: Running, cid: string): Promise<number> {
  const answer = await fetch(`${url}/v2/${cid}/manifests/latest`)
  await answer.arrayBuffer()
  return answer.status
}

describe('a data directory whose storage is another than before', () => {
  for (const before of ['a directory', 'itself'] as const) {
    it(`has nothing of what is in the one before, ${before}, and all of it where that is back`, async (t) => {
      const scene = await Scene.begin(t)
      const { base } = scene
      const data = join(base, 'data')
      const old = before === 'itself' ? undefined : join(base, 'old')
      const other = join(base, 'other')
      const first = await scene.start({ data, storageFilesystem: old })
      const { cid, layer } = await pushImage(first.disco.registry)
      const root = CID.parse(cid)
      const listed = fileBlocks(layer)
      await first.disco.stop()

      const storage = await open(data, other)
      for (const each of [root, ...listed]) assert.equal(await (storage.blocks ?? assert.fail()).has(each), false)
      await storage.close()
      const second = await scene.start({ data, storageFilesystem: other })
      for (const each of [root, ...listed]) assert.equal(await rawStatus(second, each), 404)
      assert.equal(await pullStatus(second, cid), 404)
      const asking = await scene.start({ data: join(base, 'asking'), peer: [second.address] })
      assert.equal(await pullStatus(asking, cid), 404)
      // Its blocks are laid out already: it is whole as soon as it is there.
      assert.equal((await pushImage(second.disco.registry)).cid, cid)
      for (const each of [root, ...listed]) assert.equal(await rawStatus(second, each), 200)
      assert.equal(await pullStatus(asking, cid), 200)
      await second.disco.stop()

      const third = await scene.start({ data, storageFilesystem: old })
      for (const each of [root, ...listed]) assert.equal(await rawStatus(third, each), 200)
      const askingAgain = await scene.start({ data: join(base, 'asking again'), peer: [third.address] })
      assert.equal(await pullStatus(askingAgain, cid), 200)
    })
  }

  it('has nothing of what was taken out of it, while it runs', async (t) => {
    const scene = await Scene.begin(t)
    const { base } = scene
    const tree = join(base, 'tree')
    const one = await scene.start({ data: join(base, 'data'), storageFilesystem: tree })
    const { cid, layer } = await pushImage(one.disco.registry)
    const blocks = [CID.parse(cid), ...fileBlocks(layer)]
    for (const each of blocks) assert.equal(await rawStatus(one, each), 200)
    await rm(join(tree, 'docker'), { recursive: true })
    for (const each of blocks) assert.equal(await rawStatus(one, each), 404)
    assert.equal(await pullStatus(one, cid), 404)
    assert.equal((await pushImage(one.disco.registry)).cid, cid)
    for (const each of blocks) assert.equal(await rawStatus(one, each), 200)
  })

  it('fails where that can not be read, which is no absence', async (t) => {
    const scene = await Scene.begin(t)
    const { base } = scene
    const tree = join(base, 'tree')
    const one = await scene.start({ data: join(base, 'data'), storageFilesystem: tree })
    const { cid, layer } = await pushImage(one.disco.registry)
    await rename(join(tree, 'docker'), join(tree, 'away'))
    await symlink('docker', join(tree, 'docker'))
    for (const each of [CID.parse(cid), ...fileBlocks(layer)]) assert.equal(await rawStatus(one, each), 503)
    assert.equal(await pullStatus(one, cid), 503)
  })
})

/** The root of a file's DAG, and a leaf. */
function fileBlocks(content: Uint8Array): CID[] {
  const hashes = chunkHashesOf(content)
  return [layoutFile(hashes, content.length).root, cidOf(RAW, hashes.subarray(0, 32))]
}
