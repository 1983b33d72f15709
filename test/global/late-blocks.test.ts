import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CID } from 'multiformats/cid'
import { createDisco } from '../../src/disco.ts'
import { LateBlocks } from '../../src/global/late-blocks.ts'
import { cidOf, DAG_PB, RAW, sha256 } from '../../src/ipfs/unixfs/block.ts'
import { untilAborted } from '../../src/oci/until-aborted.ts'
import { RegistryError } from '../../src/oci/errors.ts'
import { StorageFailedError } from '../../src/storage/errors.ts'
import { pushImage } from '../cli/image.ts'

const block = (text: string, codec: typeof RAW | typeof DAG_PB = DAG_PB): { readonly cid: CID; readonly bytes: Uint8Array } =>
  ({ cid: cidOf(codec, sha256(Buffer.from(text))), bytes: Buffer.from(text) })

class Scene {
  readonly index = new Map<string, Uint8Array>()
  readonly store = new Map<string, Uint8Array>()
  readonly looks: string[] = []
  failure: Error | undefined
  readonly blocks: LateBlocks

  constructor(forget = 10_000) {
    this.blocks = new LateBlocks(
      { get: async (cid) => this.index.get(cid.toV1().toString()), has: async (cid) => this.index.has(cid.toV1().toString()) },
      { index: (cid, options) => untilAborted(this.#index(cid.toString()), options?.signal) },
      { looks: 3, queue: 2, wait: 1_500, forget },
    )
  }

  async #index(name: string): Promise<boolean> {
    this.looks.push(name)
    if (this.failure !== undefined) throw this.failure
    if (name === SLOW.cid.toString()) await new Promise(() => {})
    const bytes = this.store.get(name)
    if (bytes !== undefined) this.index.set(name, bytes)
    return bytes !== undefined
  }
}

const isBusy = (error: unknown): boolean => error instanceof RegistryError && error.status === 503 && error.headers['Retry-After'] === '1'

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
    const scene = new Scene(300)
    const leaf = block('leaf', RAW)
    assert.equal(await scene.blocks.get(leaf.cid), undefined)
    assert.equal(await scene.blocks.has(leaf.cid), false)
    assert.deepEqual(scene.looks, [])
    for (let time = 0; time < 5; time++) assert.equal(await scene.blocks.get(IMAGE.cid), undefined)
    assert.equal(scene.looks.length, 1)
    scene.store.set(IMAGE.cid.toString(), IMAGE.bytes)
    await sleep(301)
    assert.deepEqual(await scene.blocks.get(IMAGE.cid), IMAGE.bytes)
  })

  it('are looked for so often in a second, and not said to be absent where they were not looked for', async (t) => {
    const scene = new Scene()
    const alive = setInterval(() => {}, 1_000)
    t.after(() => clearInterval(alive))
    const begun = performance.now()
    const asked = await Promise.allSettled(Array.from({ length: 50 }, (_, number) => scene.blocks.has(block(`${number}`).cid)))
    assert.equal(scene.looks.length, 5, 'three at once, two that waited')
    assert.ok(performance.now() - begun > 900, `${performance.now() - begun} ms`)
    assert.equal(asked.filter(({ status }) => status === 'fulfilled').length, 5)
    for (const each of asked) if (each.status === 'rejected') assert.ok(isBusy(each.reason), String(each.reason))
    // What was missed is remembered, and costs nobody a turn.
    for (const [number, { status }] of asked.entries()) if (status === 'fulfilled') assert.equal(await scene.blocks.has(block(`${number}`).cid), false)
    assert.equal(scene.looks.length, 5)
  })

  it('are found by who waits for his turn among strangers, and are there for all who want them', async (t) => {
    const scene = new Scene()
    const alive = setInterval(() => {}, 1_000)
    t.after(() => clearInterval(alive))
    scene.store.set(IMAGE.cid.toString(), IMAGE.bytes)
    const strangers = Array.from({ length: 4 }, (_, number) => scene.blocks.has(block(`${number}`).cid))
    assert.deepEqual(await Promise.all(Array.from({ length: 100 }, () => scene.blocks.get(IMAGE.cid))), Array.from({ length: 100 }, () => IMAGE.bytes))
    assert.equal(scene.looks.filter((name) => name === IMAGE.cid.toString()).length, 1)
    assert.deepEqual(await Promise.all(strangers), [false, false, false, false])
  })

  it('are no way to hold up a gateway', async (t) => {
    const base = await mkdtemp(join(tmpdir(), 'disco-late-'))
    const disco = await createDisco({ network: 'private', host: '127.0.0.1', port: 0, listen: ['/ip4/127.0.0.1/tcp/0'], data: join(base, 'data'), storageFilesystem: join(base, 'tree') })
    t.after(async () => {
      await disco.stop()
      await rm(base, { recursive: true })
    })
    const url = await disco.start()
    const ask = async (cid: string | CID): Promise<Response> => {
      const answer = await fetch(`${url}/ipfs/${cid}?format=raw`)
      await answer.arrayBuffer()
      return answer
    }
    const { cid } = await pushImage(disco.registry)
    const strangers = Array.from({ length: 200 }, (_, number) => ask(block(`stranger ${number}`).cid))
    const begun = performance.now()
    for (let time = 0; time < 20; time++) assert.equal((await ask(cid)).status, 200)
    t.diagnostic(`20 blocks in ${Math.round(performance.now() - begun)} ms`)
    const answers = await Promise.all(strangers)
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([404, 503]))
    for (const { status, headers } of answers) if (status === 503) assert.match(headers.get('retry-after') ?? '', /^(1|10)$/)
  })

  it('that take long, or of a store that fails, are not said to be absent', async () => {
    const scene = new Scene()
    await assert.rejects(scene.blocks.get(SLOW.cid), (error: unknown) => error instanceof StorageFailedError && /still being indexed/.test(error.message))
    const signal = AbortSignal.timeout(5)
    await assert.rejects(scene.blocks.get(SLOW.cid, { signal }), { name: 'TimeoutError' })
    scene.failure = new StorageFailedError('the bucket is away')
    await assert.rejects(scene.blocks.has(IMAGE.cid), /away/)
    scene.failure = undefined
    assert.equal(await scene.blocks.has(IMAGE.cid), false)
  })
})
