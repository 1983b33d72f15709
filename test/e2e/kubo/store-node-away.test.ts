import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import pino from 'pino'
import { KuboNode } from '../../../src/ipfs/kubo/nodes/node.ts'
import { Placement } from '../../../src/ipfs/kubo/store/placement.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { blobData, REPOSITORIES } from '../../../src/registry/paths.ts'
import { StorageFailedError } from '../../../src/storage/errors.ts'
import { bytes, collect, fill, text } from '../../contract/bytes.ts'
import { put } from '../../contract/commits.ts'
import { Kubo } from '../harness/kubo.ts'
import { emptied, openKuboStore, removed, type OpenedKuboStore } from './kubo-store-scene.ts'

const PATIENCE = { silence: 1000, answer: 1000 }
const NAMES = 'abcdefghijklmnop'.split('').map((name) => `${REPOSITORIES}/${name}`)

describe('one of three Kubos that is away', { timeout: 120_000 }, () => {
  const kubos: Kubo[] = []

  before(async () => {
    for (let i = 0; i < 3; i++) kubos.push(await Kubo.start())
  })
  after(async () => {
    for (const kubo of kubos) await kubo.remove()
  })

  const open = async (directory: string): Promise<OpenedKuboStore & { readonly placement: Placement; readonly isAway: (path: string) => boolean }> => {
    const opened = await openKuboStore(kubos.map(({ url }) => new KuboNode(url, { patience: PATIENCE })), directory)
    const { nodes, local } = opened
    const placement = await Placement.open({ nodes, database: local.database, log: pino({ level: 'silent' }) })
    return { ...opened, placement, isAway: (path) => nodes.all.indexOf(nodes.nodeOf(path)) === 2 }
  }

  for (const [what, away, back] of [
    ['is down', () => kubos[2]?.kill(), () => kubos[2]?.up()],
    ['hangs', () => process.kill(kubos[2]?.pid ?? 0, 'SIGSTOP'), () => process.kill(kubos[2]?.pid ?? 0, 'SIGCONT')],
  ] as const) {
    it(`keeps nobody from the others while it ${what}`, async () => {
      const directory = await emptied(kubos)
      const first = await open(directory)
      await first.store.commit({ changes: NAMES.map((name) => put(`${name}/x`, name)) })
      await first.placement.look()
      await first.close()
      await away()
      const { store, placement, isAway, close } = await open(directory)
      for (const name of NAMES) {
        if (isAway(name)) await assert.rejects(store.get(`${name}/x`), (error: unknown) => error instanceof StorageFailedError && error.message.includes(kubos[2]?.url ?? ''))
        else assert.equal(bytes(await store.get(`${name}/x`)).toString(), name)
      }
      // Of what routes to those that are there they alone have to be asked.
      for (const name of NAMES) {
        const looks = [() => store.get(`${name}/y`), () => store.stat(`${name}/y`), () => store.list(`${name}/y`)]
        if (isAway(name)) for (const look of looks) await assert.rejects(look(), StorageFailedError)
        else assert.deepEqual(await Promise.all(looks.map((look) => look())), [undefined, undefined, []])
      }
      await assert.rejects(store.list(REPOSITORIES), StorageFailedError)
      const [there = '', other = ''] = NAMES.filter((name) => !isAway(name))
      const data = Array.from({ length: 20 }, (_, i) => fill(100_000, i)).find((each) => !isAway(blobData(digestOf(each)))) ?? text('')
      const [path, digest] = [blobData(digestOf(data)), digestOf(data)]
      await store.uploads.create('u', 'some')
      await store.uploads.append('u', 0, (async function* () { yield data })())
      await store.commit({ uploads: [{ id: 'u', path, digest }], changes: [put(`${there}/new/link`, 'x'), { delete: other }] })
      assert.ok((await collect(store.read(path))).equals(data))
      assert.equal(await store.get(`${other}/x`), undefined)
      const gone = NAMES.find(isAway) ?? ''
      await assert.rejects(store.commit({ changes: [put(`${there}/z`, 'x'), put(`${gone}/z`, 'x')] }), StorageFailedError)
      await assert.rejects(placement.look())
      await back()
      for (let i = 0; i < 50 && (await store.get(`${gone}/x`).catch(() => undefined)) === undefined; i++) await new Promise((resolve) => setTimeout(resolve, 200))
      assert.equal(await store.get(`${gone}/z`), undefined)
      await store.commit({ changes: [put(`${gone}/z`, 'x')] })
      await close()
      await removed(directory)
    })
  }

  it('may have what is asked for, where something is not on the node that it routes to', async () => {
    const directory = await emptied(kubos)
    const { store, nodes, placement, isAway, close } = await open(directory)
    const [name = '', nothing = ''] = NAMES.filter((each) => !isAway(each))
    await nodes.all[2]?.write(`/${name}/x`, text('astray'))
    await placement.look()
    assert.equal(bytes(await store.get(`${name}/x`)).toString(), 'astray')
    await kubos[2]?.kill()
    for (const each of [name, nothing]) await assert.rejects(store.get(`${each}/x`), StorageFailedError)
    await kubos[2]?.up()
    await store.commit({ changes: [{ delete: name }] })
    await placement.look()
    await kubos[2]?.kill()
    for (const each of [name, nothing]) assert.equal(await store.get(`${each}/x`), undefined)
    await kubos[2]?.up()
    await close()
    await removed(directory)
  })
})
