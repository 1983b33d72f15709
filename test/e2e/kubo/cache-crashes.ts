import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { pullAll } from '../../crash/clones.ts'
import { assertPromises } from '../../crash/promises.ts'
import { push, pushAttempt, resumeUploads, type PushAttempt } from '../../crash/push-attempt.ts'
import { randomImage } from '../../crash/random-image.ts'
import { StoreReader } from '../../../src/storage/embedded/store-reader.ts'
import { pathsOf, sharedPaths, type CachePlace } from '../harness/cache-place.ts'
import type { DiscoServer } from '../harness/disco.ts'
import type { Kubo } from '../harness/kubo.ts'
import { RegistryClient, digestOf } from '../harness/registry-client.ts'
import { Scene } from '../harness/scene.ts'
import { until } from '../harness/until.ts'
import { assertGlobal } from '../harness/verify.ts'

const KILLS = 8
const AT_ONCE = 2
const LARGEST = 2 << 20
const SEED = 20_261_124

export interface CrashScene {
  readonly what: string
  /** Without one, the server itself is the node. */
  readonly withKubo: boolean
  readonly cacheOf: (scene: Scene) => Promise<CachePlace>
}

/** Kills a server while images are pushed, and others pulled that its cache lacks. */
export function cacheCrashes({ what, withKubo, cacheOf }: CrashScene): void {
  describe(`a server that is killed with a cache: ${what}`, { timeout: 300_000 }, () => {
    let scene: Scene
    let kubo: Kubo | undefined
    let cache: CachePlace
    const acknowledged: PushAttempt[] = []

    before(async () => {
      scene = await Scene.begin()
      kubo = withKubo ? await scene.kubo() : undefined
      cache = await cacheOf(scene)
    })
    after(() => scene.end())

    const start = (data: string, cached = true): Promise<DiscoServer> =>
      scene.disco(data, { args: ['--noclone'], ...(kubo !== undefined && { kubos: [kubo] }), ...(cached && { env: cache.env }) })

    async function notes(data: string): Promise<string[]> {
      const store = StoreReader.open(join(scene.directory, data))
      try {
        return (await store?.list('disco/tier')) ?? []
      } finally {
        store?.close()
      }
    }

    it('keeps its promises, whenever that is', async (t) => {
      const random = randomNumbers(SEED)
      let server = await start('data')
      const newAttempt = (name: string, number: number): PushAttempt =>
        pushAttempt(`crash/${name}-${number}`, number % 2 === 0 ? 'latest' : `v${number}`, randomImage(`cache ${what} ${name} ${number}`, LARGEST))
      const pushAll = async (attempts: readonly PushAttempt[]): Promise<void> => {
        for (const outcome of await Promise.allSettled(attempts.map((attempt) => push(new RegistryClient(server.url), attempt)))) if (outcome.status === 'rejected') throw outcome.reason
      }
      const cids = (): string[] => acknowledged.flatMap(({ cid }) => cid ?? [])
      const began = performance.now()
      const first = Array.from({ length: AT_ONCE }, (_, number) => newAttempt('first', number))
      await pushAll(first)
      acknowledged.push(...first)
      const longest = performance.now() - began
      const counts = { acknowledged: 0, silentlyGlobal: 0, nothing: 0, owed: 0, blobs: 0 }

      for (let round = 0; round < KILLS; round++) {
        const attempts = Array.from({ length: AT_ONCE }, (_, number) => newAttempt(`round-${round}`, number))
        if (round % 2 === 0) await cache.purge()
        const work = Promise.allSettled([pushAll(attempts), pullAll(server, cids().slice(-4))])
        await sleep(random() * longest * 1.3)
        await server.kill()
        await work
        counts.blobs += await cache.assertRight()
        counts.owed += (await notes('data')).length
        server = await start('data')
        const client = new RegistryClient(server.url)
        for (const attempt of attempts) {
          const isGlobal = await assertPromises(client, attempt)
          counts[attempt.cid !== undefined ? 'acknowledged' : isGlobal ? 'silentlyGlobal' : 'nothing']++
          await resumeUploads(client, attempt, true)
          if (attempt.cid === undefined) await push(client, attempt)
          acknowledged.push(attempt)
        }
      }
      await server.stop()
      t.diagnostic(JSON.stringify(counts))
    })

    it('brings into the cache what it had acknowledged and not yet copied, without being asked for it', async () => {
      const server = await start('data')
      const attempts = [0, 1, 2].map((number) => pushAttempt(`unasked/${number}`, 'latest', randomImage(`unasked ${what} ${number}`, LARGEST)))
      await Promise.any(attempts.map((attempt) => push(new RegistryClient(server.url), attempt)))
      await server.kill()
      const again = await start('data')
      for (const attempt of attempts) {
        const { cid, image: { digest, blobs } } = attempt
        if (cid === undefined) continue
        // The locks that somebody died with hold for twenty seconds in a bucket.
        await cache.assertHas(pathsOf(cid, digest, blobs.map(digestOf)), 60_000)
        acknowledged.push(attempt)
      }
      await again.stop()
    })

    it('has all of it in IPFS alone', async () => {
      await cache.purge()
      const server = await start('data', false)
      for (const { cid, image } of acknowledged) await assertGlobal(new RegistryClient(server.url), image.digest, cid ?? '')
      await server.stop()
    })

    it('has all of it in the cache alone once that is filled, and owes nothing more', async () => {
      let server = await start('data')
      const client = new RegistryClient(server.url)
      for (const { cid = '', image: { digest } } of acknowledged) {
        const paths = await sharedPaths(client, cid, digest)
        await assertGlobal(client, digest, cid)
        await cache.assertHas(paths, 30_000)
      }
      await until(async () => (await notes('data')).length === 0, { what: 'nothing is owed' })
      await server.stop()
      await cache.assertRight()
      if (kubo === undefined) await rm(server.data, { recursive: true })
      server = await start('data')
      await kubo?.down()
      for (const { cid = '', image: { digest } } of acknowledged) await assertGlobal(new RegistryClient(server.url), digest, cid)
      await server.kill()
    })
  })
}

/** From 0 to 1, the same ones for a seed (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
