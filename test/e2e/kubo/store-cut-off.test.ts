import assert from 'node:assert/strict'
import { after as atTheEnd, before, describe, it } from 'node:test'
import { KuboNode } from '../../../src/ipfs/kubo/nodes/node.ts'
import type { KuboStore } from '../../../src/ipfs/kubo/store/store.ts'
import { StorageFailedError } from '../../../src/storage/errors.ts'
import { collect, fill } from '../../contract/bytes.ts'
import { after, commitsOf, objectsOf, same, type Commit, type Objects } from '../../contract/commits.ts'
import { Kubo } from '../harness/kubo.ts'
import { DyingKubo } from './dying-kubo.ts'
import { emptied, nodesOf, openKuboStore, removed } from './kubo-store-scene.ts'

const LAYER = fill(50_000)
/** Pinned by Kubo itself: a directory with nothing in it. */
const EMPTY = 'QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn'
const COMMITS = commitsOf(LAYER, 'docker/registry/v2/repositories/')

/** Does it all; `done` hears how many commits were acknowledged. */
async function work(store: KuboStore, commits: readonly Commit[], done: (commits: number) => void): Promise<void> {
  for (const [index, commit] of commits.entries()) {
    for (const { id } of commit.uploads ?? []) {
      if ((await store.uploads.stat(id)) === undefined) await store.uploads.create(id, 'some/name')
      const { bytes = new Uint8Array() } = commit
      const at = (await store.uploads.stat(id))?.size ?? 0
      await store.uploads.append(id, at, (async function* () { yield bytes.subarray(at) })())
    }
    await store.commit(commit)
    done(index + 1)
  }
}

describe('KuboStore cut off after every single call that changes something', { timeout: 600_000 }, () => {
  for (const [name, count] of [['one node', 1], ['three nodes', 3]] as const) {
    describe(name, () => {
      const kubos: Kubo[] = []

      before(async () => {
        for (let i = 0; i < count; i++) kubos.push(await Kubo.start())
      })

      atTheEnd(async () => {
        for (const kubo of kubos) await kubo.remove()
      })

      for (const reached of [false, true]) {
        it(`has all that was acknowledged and no commit by half, the call ${reached ? 'done, its answer lost' : 'lost'}`, async () => {
          let cuts = 0
          for (let node = 0; node < count; node++) for (let last = 1; await cutOff(kubos, { node, last, reached }); last++) cuts++
          assert.ok(cuts >= 15, `${cuts} calls are all`)
        })
      }
    })
  }
})

/** Lets the way to one node be cut; tells whether it was. */
async function cutOff(kubos: readonly Kubo[], { node, last, reached }: { node: number; last: number; reached: boolean }): Promise<boolean> {
  const directory = await emptied(kubos)
  const ways = await Promise.all(kubos.map(({ url }, index) => DyingKubo.before(url, index === node ? last : Infinity, reached)))
  const opened = await openKuboStore(ways.map(({ url }) => new KuboNode(url)), directory)
  let acknowledged = 0
  try {
    await work(opened.store, COMMITS, (done) => (acknowledged = done))
  } catch (error) {
    assert.ok(error instanceof StorageFailedError, `call ${last}: ${String(error)}`)
  }
  await opened.close()
  const dead = ways.some((way) => way.dead)
  for (const way of ways) await way.close()
  await look(kubos, directory, acknowledged, `cut off at call ${last} of node ${node}, ${acknowledged} acknowledged`)
  await removed(directory)
  return dead
}

async function look(kubos: readonly Kubo[], directory: string, acknowledged: number, when: string): Promise<void> {
  const { store, close } = await openKuboStore(nodesOf(kubos), directory)
  const found = await objectsOf(store)
  const earlier = COMMITS.slice(0, acknowledged).reduce<Objects>((objects, commit) => after(objects, commit), new Map())
  const current = COMMITS[acknowledged]
  const possible = current === undefined ? [earlier] : [earlier, after(earlier, current)]
  assert.ok(possible.some((objects) => same(objects, found)), `${when}: ${[...found.keys()].join(' ')}`)
  for (const { id, size } of await store.uploads.list()) {
    assert.ok((await collect(store.uploads.read(id))).equals(LAYER.subarray(0, size)), `${when}: upload ${id}`)
  }
  // Whoever was cut off does it again.
  await work(store, COMMITS, () => {})
  const whole = COMMITS.reduce<Objects>((objects, commit) => after(objects, commit), new Map())
  assert.ok(same(await objectsOf(store), whole), `${when}: done again`)
  await close()
  for (const kubo of kubos) assert.equal(await kubo.ipfs('pin', 'ls', '--type=recursive', '-q'), EMPTY, `${when}: what is pinned`)
}
