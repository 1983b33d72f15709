import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { uploadPlaces as places } from '../../src/registry/paths.ts'
import { FilesystemStore } from '../../src/storage/filesystem/store.ts'
import { collect, fill } from '../contract/bytes.ts'
import { after, commitsOf, objectsOf, same, type Commit, type Objects } from '../contract/commits.ts'
import { DyingDisk } from './dying-disk.ts'

/** Powers cut at a time. */
const AT_ONCE = 8

/** Hashed at once, and in a thread along with its chunks: the second takes more time, and so is cut off at fewer places. */
const LAYERS = [[fill(50_000), 1], [fill(1_500_000), 7]] as const
/** Does it all; `done` hears how many commits were acknowledged, at each step that was. */
async function work(store: FilesystemStore, commits: readonly Commit[], id: string, done: (commits: number) => void): Promise<void> {
  for (const [index, commit] of commits.entries()) {
    const uploads = (commit.uploads ?? []).map((upload) => ({ ...upload, id }))
    if (uploads.length > 0) {
      if ((await store.uploads.stat(id)) === undefined) await store.uploads.create(id, 'some/name')
      done(index)
      const size = (await store.uploads.stat(id))?.size ?? 0
      const { bytes = new Uint8Array() } = commit
      for (const end of [size, Math.max(size, bytes.length >> 1), bytes.length]) {
        const at = (await store.uploads.stat(id))?.size ?? 0
        await store.uploads.append(id, at, (async function* () { yield bytes.subarray(at, end) })())
        done(index)
      }
    }
    await store.commit({ ...commit, uploads })
    done(index + 1)
  }
  const givenUp = randomUUID()
  await store.uploads.create(givenUp, 'some/name')
  await store.uploads.remove(givenUp)
  done(commits.length + 1)
}

/** Lets the power go after a number of steps; tells whether it went. */
async function cutOff(directory: string, commits: readonly Commit[], step: number): Promise<boolean> {
  const disk = new DyingDisk(step)
  let acknowledged = 0
  let store: FilesystemStore | undefined
  try {
    store = await FilesystemStore.open(directory, { places, disk })
    await work(store, commits, 'layer', (done) => {
      acknowledged = done
      assert.deepEqual(disk.volatile(), [], `after commit ${done} all is durable`)
    })
  } catch (error) {
    if (!disk.dead) throw error
  }
  await store?.close()
  await look(directory, commits, acknowledged, `cut off after step ${step}, ${acknowledged} acknowledged`)
  return disk.dead
}

async function look(directory: string, commits: readonly Commit[], acknowledged: number, when: string): Promise<void> {
  const store = await FilesystemStore.open(directory, { places })
  const found = await objectsOf(store)
  const before = commits.slice(0, acknowledged).reduce<Objects>((objects, commit) => after(objects, commit), new Map())
  const current = commits[acknowledged]
  const possible = current === undefined ? [before] : [before, after(before, current)]
  assert.ok(possible.some((objects) => same(objects, found)), `${when}: ${[...found.keys()].join(' ')}`)
  for (const { id, size } of await store.uploads.list()) {
    const bytes = await collect(store.uploads.read(id))
    assert.ok(commits[0]?.bytes !== undefined && bytes.equals(commits[0].bytes.subarray(0, size)), `${when}: upload ${id}`)
  }
  if (acknowledged > commits.length) assert.deepEqual(await store.uploads.list(), [])
  // Whoever was cut off does it again, with what is left of his upload where there is some.
  await work(store, commits, (await store.uploads.stat('layer')) === undefined ? 'another' : 'layer', () => {})
  const whole = commits.reduce<Objects>((objects, commit) => after(objects, commit), new Map())
  assert.ok(same(await objectsOf(store), whole), `${when}: done again`)
  for (const { id } of await store.uploads.list()) await store.uploads.remove(id)
  await store.close()
  await old(directory)
  await (await FilesystemStore.open(directory, { places })).close()
  assert.deepEqual(await readdir(join(directory, '.disco/tmp')), [], `${when}: leftovers`)
  assert.deepEqual(await readdir(join(directory, '.disco/uploads')), [], `${when}: leftovers of uploads`)
}

/** Lets what lies about be from long ago. */
async function old(directory: string): Promise<void> {
  const then = new Date(Date.now() - 2 * 3_600_000)
  for (const place of ['tmp', 'uploads']) {
    for (const name of await readdir(join(directory, '.disco', place))) await utimes(join(directory, '.disco', place, name), then, then)
  }
}

async function inDirectory<T>(run: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'disco-cut-'))
  try {
    return await run(directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}

describe('FilesystemStore cut off after every single step', { timeout: 240_000 }, () => {
  for (const [layer, stride] of LAYERS) {
    it(`has all that was acknowledged, no commit by half, and starts again: a layer of ${layer.length} bytes`, async () => {
      const commits = commitsOf(layer)
      for (let step = 1; ; step += AT_ONCE * stride) {
        const steps = Array.from({ length: AT_ONCE }, (_, index) => step + index * stride)
        const dead = await Promise.all(steps.map((last) => inDirectory((directory) => cutOff(directory, commits, last))))
        if (dead.every(Boolean)) continue
        assert.ok(step > 60, `${step} steps are all`)
        return
      }
    })
  }
})
