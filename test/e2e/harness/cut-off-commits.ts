import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bucketPlaces as places } from '../../../src/registry/paths.ts'
import { StorageFailedError } from '../../../src/storage/errors.ts'
import type { Bucket } from '../../../src/storage/bucket/bucket.ts'
import { BucketStore } from '../../../src/storage/bucket/store.ts'
import { collect, fill } from '../../contract/bytes.ts'
import { after, commitsOf, objectsOf, same, type Commit, type Objects } from '../../contract/commits.ts'

/** Sent as one object; and in pieces that become the parts of one. */
const SMALL = commitsOf(fill(50_000), 'disco/aside/')
const LARGE = commitsOf(fill(11_500_000), 'disco/aside/').slice(0, 1)

/** A way to a bucket that ends at the n-th change, before it is done or before it is answered. */
export interface DyingWay {
  readonly bucket: Bucket
  readonly changes: number
  readonly done: readonly string[]
  readonly dead: boolean
}

/** A bucket, as often as somebody opens it, and what may happen on the way to it. */
export interface OpenedBucket {
  open(): Bucket
  dying(last?: number, reached?: boolean): DyingWay
}

/** Does it all; `done` hears how many commits were acknowledged, at each step that was. */
async function work(store: BucketStore, commits: readonly Commit[], done: (commits: number) => void): Promise<void> {
  for (const [index, commit] of commits.entries()) {
    const { bytes } = commit
    if (bytes !== undefined) {
      if ((await store.uploads.stat('layer')) === undefined) await store.uploads.create('layer', 'some/name')
      for (const end of [bytes.length >> 1, bytes.length]) {
        const at = (await store.uploads.stat('layer'))?.size ?? 0
        await store.uploads.append('layer', at, (async function* () { yield bytes.subarray(at, Math.max(at, end)) })())
      }
    }
    await store.commit(commit)
    done(index + 1)
  }
}

/** Whether it was cut off at all. */
async function cutOff(opened: OpenedBucket, commits: readonly Commit[], last: number, reached: boolean): Promise<boolean> {
  const way = opened.dying(last, reached)
  let acknowledged = 0
  try {
    const store = await BucketStore.open(way.bucket, { places })
    await work(store, commits, (done) => (acknowledged = done))
    await store.close()
  } catch (error) {
    assert.ok(error instanceof StorageFailedError, `change ${last}: ${String(error)}`)
  }
  const when = `cut off ${reached ? 'after' : 'before'} change ${last} (${way.done.at(-1)}), ${acknowledged} acknowledged`
  if (!way.dead) return false
  await look(opened, commits, acknowledged, when)
  return true
}

async function look(opened: OpenedBucket, commits: readonly Commit[], acknowledged: number, when: string): Promise<void> {
  const store = await BucketStore.open(opened.open(), { places })
  // What it held runs out; whoever wants it next finishes what was begun.
  await store.commit({ expect: ['docker/registry/v2/repositories/some/name', 'disco/aside/x', 'disco/aside/y'].map((path) => ({ path, data: undefined })) })
  const found = await objectsOf(store)
  const earlier = commits.slice(0, acknowledged).reduce<Objects>((objects, commit) => after(objects, commit), new Map())
  const current = commits[acknowledged]
  const possible = current === undefined ? [earlier] : [earlier, after(earlier, current)]
  // A blob that nothing refers to is seen by nobody.
  const blob = (current?.uploads ?? []).map(({ path }) => [path, Buffer.from(current?.bytes ?? [])] as const)
  if (current !== undefined) possible.push(new Map([...earlier, ...blob]))
  assert.ok(possible.some((objects) => same(objects, found)), `${when}: ${[...found.keys()].join(' ')}`)
  // Whoever was cut off does it again.
  await again(store, commits)
  const whole = commits.reduce<Objects>((objects, commit) => after(objects, commit), new Map())
  assert.ok(same(await objectsOf(store), whole), `${when}: done again`)
  for (const { id, size } of await store.uploads.list()) {
    assert.ok((await collect(store.uploads.read(id))).equals(Buffer.from(commits[0]?.bytes ?? []).subarray(0, size)), `${when}: upload ${id}`)
    await store.uploads.remove(id)
  }
  const { objects } = await store.bucket.page('.disco/uploads/')
  assert.deepEqual(objects.map(({ path }) => path), [], `${when}: left of uploads`)
  await store.close()
}

/** An upload that its owner died with is his until his lease runs out. */
async function again(store: BucketStore, commits: readonly Commit[]): Promise<void> {
  const isBusy = async (): Promise<boolean> => store.uploads.remove('layer').then(() => false, () => true)
  for (let i = 0; i < 300 && (await isBusy()); i++) await new Promise((resolve) => setTimeout(resolve, 100))
  await work(store, commits, () => {})
}

/** Cuts all commits off, everywhere. */
export function cutOffCommits(bucket: () => Promise<OpenedBucket>): void {
  // Each waits for leases to run out.
  describe('a commit to a bucket', { concurrency: true, timeout: 240_000 }, () => {
    for (const reached of [false, true]) {
      for (const [name, commits] of [['of one piece', SMALL], ['of several', LARGE]] as const) {
        it(`is done or not begun, wherever it is cut off ${reached ? 'after' : 'before'} a change, with a blob ${name}`, async () => {
          const whole = (await bucket()).dying()
          const store = await BucketStore.open(whole.bucket, { places })
          await work(store, commits, () => {})
          await store.close()
          assert.ok(whole.changes > 10)
          const cuts = await Promise.all(Array.from({ length: whole.changes }, async (_, index) => cutOff(await bucket(), commits, index + 1, reached)))
          // Leases that are renewed on the way are changes as well, of which a slow machine makes more.
          const again = whole.done.length - new Set(whole.done).size
          assert.ok(cuts.slice(0, -2 - again).every((cut) => cut))
        })
      }
    }
  })
}
