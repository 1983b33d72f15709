import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CID } from 'multiformats/cid'
import { LateBlocks } from '../../src/global/late-blocks.ts'
import { cidOf, DAG_PB, RAW, sha256 } from '../../src/ipfs/unixfs/block.ts'
import { untilAborted } from '../../src/oci/until-aborted.ts'
import { StorageFailedError } from '../../src/storage/errors.ts'

const block = (text: string, codec: typeof RAW | typeof DAG_PB = DAG_PB): { readonly cid: CID; readonly bytes: Uint8Array } =>
  ({ cid: cidOf(codec, sha256(Buffer.from(text))), bytes: Buffer.from(text) })

class Scene {
  readonly index = new Map<string, Uint8Array>()
  readonly store = new Map<string, Uint8Array>()
  readonly looks: string[] = []
  now = 1_000_000
  failure: Error | undefined
  readonly blocks = new LateBlocks(
    { get: async (cid) => this.index.get(cid.toV1().toString()), has: async (cid) => this.index.has(cid.toV1().toString()) },
    { index: (cid, options) => untilAborted(this.#index(cid.toString()), options?.signal) },
    { looks: 3, wait: 50, now: () => this.now },
  )

  async #index(name: string): Promise<boolean> {
    this.looks.push(name)
    if (this.failure !== undefined) throw this.failure
    if (name === SLOW.cid.toString()) await new Promise(() => {})
    const bytes = this.store.get(name)
    if (bytes !== undefined) this.index.set(name, bytes)
    return bytes !== undefined
  }
}

const SLOW = block('slow')
const IMAGE = block('image')

describe('blocks of images that others have stored', () => {
  it('are given at the first want, by whatever version of the CID', async () => {
    const scene = new Scene()
    scene.store.set(IMAGE.cid.toString(), IMAGE.bytes)
    assert.equal(await scene.blocks.has(CID.createV0(IMAGE.cid.multihash as never)), true)
    assert.deepEqual(await scene.blocks.get(IMAGE.cid), IMAGE.bytes)
    assert.deepEqual(scene.looks, [IMAGE.cid.toString()])
  })

  it('are not looked for where the CID is no repository\'s, nor again at once', async () => {
    const scene = new Scene()
    const leaf = block('leaf', RAW)
    assert.equal(await scene.blocks.get(leaf.cid), undefined)
    assert.equal(await scene.blocks.has(leaf.cid), false)
    assert.deepEqual(scene.looks, [])
    for (let time = 0; time < 5; time++) assert.equal(await scene.blocks.get(IMAGE.cid), undefined)
    assert.equal(scene.looks.length, 1)
    scene.store.set(IMAGE.cid.toString(), IMAGE.bytes)
    scene.now += 2_001
    assert.deepEqual(await scene.blocks.get(IMAGE.cid), IMAGE.bytes)
  })

  it('are looked for so often in a second, whatever strangers ask for', async () => {
    const scene = new Scene()
    for (let number = 0; number < 50; number++) assert.equal(await scene.blocks.has(block(`${number}`).cid), false)
    assert.equal(scene.looks.length, 3)
    scene.now += 1_000
    await scene.blocks.has(block('another').cid)
    assert.equal(scene.looks.length, 4)
  })

  it('that take long, or of a store that fails, are not said to be absent', async () => {
    const scene = new Scene()
    await assert.rejects(scene.blocks.get(SLOW.cid), (error: unknown) => error instanceof StorageFailedError && /still being indexed/.test(error.message))
    const signal = AbortSignal.timeout(5)
    await assert.rejects(scene.blocks.get(SLOW.cid, { signal }), { name: 'TimeoutError' })
    scene.failure = new StorageFailedError('the bucket is away')
    await assert.rejects(scene.blocks.has(IMAGE.cid), /away/)
    scene.failure = undefined
    scene.now += 1_000
    assert.equal(await scene.blocks.has(IMAGE.cid), false)
  })
})
