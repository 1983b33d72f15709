import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { encodeCar } from '../../../src/ipfs/car.ts'
import { KuboDagIndex } from '../../../src/ipfs/kubo/dag/dag-index.ts'
import { KuboNode } from '../../../src/ipfs/kubo/nodes/node.ts'
import { CollectionWatch } from '../../../src/ipfs/kubo/uploads/collection-watch.ts'
import { cidOf, RAW, sha256 } from '../../../src/ipfs/unixfs/block.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { blobData } from '../../../src/registry/paths.ts'
import { DigestMismatchError } from '../../../src/storage/errors.ts'
import { fill } from '../../contract/bytes.ts'
import { Kubo } from '../harness/kubo.ts'
import { until } from '../harness/until.ts'
import { emptied, nodesOf, openKuboStore, removed, type OpenedKuboStore } from './kubo-store-scene.ts'

describe('what stays at a Kubo for nobody', { timeout: 240_000 }, () => {
  let kubo: Kubo
  let node: KuboNode
  before(async () => {
    kubo = await Kubo.start()
    node = new KuboNode(kubo.url)
  })
  after(async () => {
    node.close()
    await kubo.remove()
  })

  async function open(t: TestContext, nodes: readonly KuboNode[] = nodesOf([kubo])): Promise<OpenedKuboStore> {
    const directory = await emptied([kubo])
    const opened = await openKuboStore(nodes, directory)
    t.after(async () => {
      await opened.close()
      await removed(directory)
    })
    return opened
  }

  /** A blob that waits for its commit. @returns where */
  async function stage({ uploads }: OpenedKuboStore, id: string, content: Uint8Array): Promise<string> {
    const digest = digestOf(content)
    await uploads.create(id, 'r')
    await uploads.append(id, 0, once(content))
    const sent = await uploads.finish({ id, path: blobData(digest), digest })
    await sent.release()
    return sent.held ?? assert.fail('not held')
  }

  it('goes when nobody has known it for a while: uploads, and those of data directories that are gone', async (t) => {
    const opened = await open(t)
    const mine = await stage(opened, 'u', fill(3000, 1))
    const [owner = ''] = (await node.names('/disco/staged')) ?? []
    await node.link((await node.stat(mine))?.cid ?? assert.fail(), `/disco/staged/${owner}/gone`)
    await node.link((await node.stat(mine))?.cid ?? assert.fail(), '/disco/staged/other/upload')
    const patience = { own: 100, others: 100 }
    assert.equal(await opened.uploads.clean({ patience }), 0)
    // Somebody is at work there.
    await node.link((await node.stat(mine))?.cid ?? assert.fail(), '/disco/staged/other/next')
    await sleep(100)
    assert.equal(await opened.uploads.clean({ patience }), 1)
    assert.deepEqual(await node.names(`/disco/staged/${owner}`), ['u'])
    assert.deepEqual((await node.names('/disco/staged/other'))?.toSorted(), ['next', 'upload'])
    await sleep(100)
    assert.equal(await opened.uploads.clean({ patience }), 1)
    assert.deepEqual(await node.names('/disco/staged'), [owner])
  })

  it('takes nothing from a registry whose directory others took for left over', async (t) => {
    const opened = await open(t)
    await stage(opened, 'u', fill(3000, 2))
    await node.remove('/disco/staged')
    await stage(opened, 'v', fill(3000, 3))
    assert.equal(await node.isWhole(await stage(opened, 'w', fill(3000, 4))), true)
  })

  it('goes where a DAG was being made for an object', async (t) => {
    const { local, nodes } = await open(t)
    const index = await KuboDagIndex.open(local.database, nodes)
    await node.write('/disco/dags/making-x', fill(100))
    assert.equal(await index.clean(), 0)
    assert.equal(await index.clean({ patience: 0 }), 1)
    assert.deepEqual(await node.names('/disco/dags'), [])
  })

  it('is no stream of an upload whose digest was wrong: others would have none', async (t) => {
    let adds = 0
    const counted = new (class extends KuboNode {
      override add(...args: Parameters<KuboNode['add']>): ReturnType<KuboNode['add']> {
        adds++
        return super.add(...args)
      }
    })(kubo.url)
    const { uploads } = await open(t, [counted])
    for (let i = 1; i <= 17; i++) {
      const content = fill(2_000_000, 100 + i)
      await uploads.create(`u${i}`, 'r')
      await uploads.append(`u${i}`, 0, (async function* () {
        yield* once(content)
        await until(() => adds === i, { every: 20 })
      })())
      await assert.rejects(uploads.finish({ id: `u${i}`, path: blobData(digestOf(content)), digest: digestOf(fill(1)) }), DigestMismatchError)
    }
  })
})

describe('a collection of garbage', { timeout: 240_000 }, () => {
  let kubo: Kubo
  before(async () => void (kubo = await Kubo.start()))
  after(() => kubo.remove())

  it('that is under way when a stream begins is noticed as well', async (t) => {
    const node = new KuboNode(kubo.url)
    t.after(() => node.close())
    const garbage = Array.from({ length: 2000 }, () => {
      const bytes = randomBytes(40)
      return { cid: cidOf(RAW, sha256(bytes)), bytes }
    })
    await node.importCar(encodeCar(garbage[0]?.cid ?? assert.fail(), (async function* () {
      yield* garbage
    })()))
    const begun = Promise.withResolvers<void>()
    const collected = (async () => {
      for await (const _ of node.rpc.stream('repo/gc', { quiet: true })) begun.resolve()
    })()
    await begun.promise
    const outcomes = await Promise.all(Array.from({ length: 40 }, async (_, i) => {
      const isWhole = await new CollectionWatch(node).begin()
      const cid = await node.add(once(randomBytes(3 * 1024 * 1024 + i)))
      await node.link(cid, `/held/${i}`, { signal: AbortSignal.timeout(30_000) }).catch(() => {})
      return { told: await isWhole(), is: (await node.isWhole(`/held/${i}`)) === true }
    }))
    await collected
    assert.deepEqual(outcomes.filter(({ told, is }) => told && !is), [])
  })
})

async function* once(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content
}
