import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { diskUse } from '../e2e/harness/data-directory.ts'
import type { DiscoOptions, DiscoServer } from '../e2e/harness/disco.ts'
import { RegistryClient } from '../e2e/harness/registry-client.ts'
import { Scene } from '../e2e/harness/scene.ts'
import { assertClonable, assertComplete } from '../e2e/harness/verify.ts'
import { assertWholeOrAbsent, pullAll, pushNewImages, type ImagesByCid } from './clones.ts'
import { assertPromises } from './promises.ts'
import { push, pushAttempt, resumeUploads, type PushAttempt } from './push-attempt.ts'
import { randomImage, type RandomImage } from './random-image.ts'

const CRASHES = Number(process.env['DISCO_TEST_CRASHES'] ?? 24)
const CLONE_CRASHES = Math.floor(CRASHES / 3)
const PUSH_CRASHES = CRASHES - CLONE_CRASHES
const PUSHES_AT_ONCE = 3
const CLONES_AT_ONCE = 2

for (const storage of ['the embedded store', 'files'] as const) {
  describe(`a server on ${storage} that is killed`, { timeout: 1_800_000 }, () => {
    let scene: Scene
    /** A server with a data directory of this name, in which all of its storage is. */
    const start = (data: string, options: Omit<DiscoOptions, 'data'> = {}): Promise<DiscoServer> => {
      const env = storage === 'files' ? { REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: join(scene.directory, data, 'tree') } : {}
      return scene.disco(data, { ...options, env })
    }

    before(async () => {
      scene = await Scene.begin()
    })

    after(() => scene.end())

    /** What was cut short and never went on must not stay for good: the directory holds the images, and little beside. */
    const assertNoLitter = async (data: string, empty: number, images: readonly RandomImage[]): Promise<void> => {
      // On files every link is a file in a directory of its own: 8 KiB each, in the two repositories of an image.
      const names = storage === 'files' ? 128 * 1024 : 0
      const allowed = images.reduce((sum, { size, blobs }) => sum + 1.01 * size + blobs.length * 64 * 1024 + names, 1 << 20)
      const used = async (): Promise<number> => (await diskUse(join(scene.directory, data))) - empty
      if (storage === 'files' && (await used()) >= allowed) {
        // On files what a crash left goes with the first start that comes an hour later.
        await letAnHourPass(join(scene.directory, data, 'tree', '.disco'))
        const server = await start(data)
        for (const end = Date.now() + 20_000; Date.now() < end && (await used()) >= allowed; ) await sleep(100)
        await server.stop()
      }
      assert.ok((await used()) < allowed, `${await used()} bytes are used, ${Math.floor(allowed)} would be plenty`)
    }

    it(`${PUSH_CRASHES} times during pushes keeps its promises`, async (t) => {
      let server = await start('pushes')
      const empty = await diskUse(server.data)
      const images: RandomImage[] = []
      const acknowledged: PushAttempt[] = []
      const counts = { acknowledged: 0, silentlyGlobal: 0, nothing: 0, gone: 0, resumed: 0 }

      const newAttempt = (name: string, number: number) => {
        const image = randomImage(`push ${name} ${number}`)
        images.push(image)
        return pushAttempt(`crash/${name}-${number}`, number % 2 === 0 ? 'latest' : `v${number}`, image)
      }
      const longest = await timed(() => pushAll(server, [0, 1, 2].map((number) => newAttempt('warm-up', number))))

      for (let crash = 0; crash < PUSH_CRASHES; crash++) {
        const attempts = Array.from({ length: PUSHES_AT_ONCE }, (_, number) => newAttempt(`round-${crash}`, number))
        const pushing = Promise.allSettled(attempts.map((attempt) => push(new RegistryClient(server.url), attempt)))
        await sleep(randomInt(0, Math.ceil(longest * 1.2)))
        await server.kill()
        await pushing

        server = await start('pushes', crash % 3 === 2 ? { args: ['--processes', '2'] } : {})
        const client = new RegistryClient(server.url)
        for (const attempt of attempts) {
          const isGlobal = await assertPromises(client, attempt)
          counts[attempt.cid !== undefined ? 'acknowledged' : isGlobal ? 'silentlyGlobal' : 'nothing']++
          const { gone, resumed } = await resumeUploads(client, attempt, true)
          counts.gone += gone
          counts.resumed += resumed
          if (attempt.cid === undefined) await push(client, attempt)
          acknowledged.push(attempt)
        }
      }

      const client = new RegistryClient(server.url)
      for (const { cid, image } of acknowledged) await assertComplete(client, cid ?? '', 'latest', image.digest)
      await server.stop()
      await assertNoLitter('pushes', empty, images)
      t.diagnostic(JSON.stringify(counts))
      if (PUSH_CRASHES >= 10) assert.ok(counts.resumed > 0, 'some upload was resumed')
    })

    it(`${CLONE_CRASHES} times during clones keeps its promises`, async (t) => {
      const origin = await start('origin')
      const all: ImagesByCid = new Map()
      const newImages = async (round: string) => {
        const images = await pushNewImages(origin, `clone ${round}`, CLONES_AT_ONCE)
        for (const [cid, image] of images) all.set(cid, image)
        return images
      }
      const peers = [origin.url, origin.multiaddr()]
      const counts = { complete: 0, nothing: 0 }

      let server = await start('clones', { peers })
      const empty = await diskUse(server.data)
      const first = await newImages('warm-up')
      const longest = await timed(() => pullAll(server, first.keys()))
      await server.stop()

      for (let crash = 0; crash < CLONE_CRASHES; crash++) {
        const images = await newImages(`round ${crash}`)
        server = await start('clones', { peers: [peers[crash % 2] ?? assert.fail()] })
        const cloning = pullAll(server, images.keys()).catch(() => undefined)
        await sleep(randomInt(0, Math.ceil(longest * 1.2)))
        await server.kill()
        await cloning

        // With nobody to ask: what it names must be here.
        server = await start('clones', { args: ['--noclone'] })
        for (const [cid, { digest }] of images) counts[(await assertWholeOrAbsent(server, cid, digest)) ? 'complete' : 'nothing']++
        await server.kill()
      }

      server = await start('clones', { peers: [origin.url] })
      for (const [cid, { digest }] of all) await assertClonable(new RegistryClient(server.url), digest, cid)
      await server.stop()
      await origin.stop()
      await assertNoLitter('clones', empty, [...all.values()])
      t.diagnostic(JSON.stringify(counts))
    })
  })
}

async function pushAll(server: DiscoServer, attempts: readonly PushAttempt[]): Promise<void> {
  await Promise.all(attempts.map((attempt) => push(new RegistryClient(server.url), attempt)))
}

async function letAnHourPass(directory: string): Promise<void> {
  const then = new Date(Date.now() - 2 * 3_600_000)
  for (const path of await readdir(directory, { recursive: true })) await utimes(join(directory, path), then, then)
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}
