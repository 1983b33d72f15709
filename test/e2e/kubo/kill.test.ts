import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { assertWholeOrAbsent, pullAll, pushNewImages, type ImagesByCid } from '../../crash/clones.ts'
import { assertPromises } from '../../crash/promises.ts'
import { push, pushAttempt, resumeUploads, type PushAttempt } from '../../crash/push-attempt.ts'
import { randomImage } from '../../crash/random-image.ts'
import { diskUse } from '../harness/data-directory.ts'
import type { DiscoServer } from '../harness/disco.ts'
import { Kubo } from '../harness/kubo.ts'
import { RegistryClient } from '../harness/registry-client.ts'
import { Scene } from '../harness/scene.ts'
import { assertClonable, assertComplete } from '../harness/verify.ts'

const CRASHES = Number(process.env['DISCO_TEST_CRASHES'] ?? 18)
const CLONE_CRASHES = Math.floor(CRASHES / 3)
const PUSH_CRASHES = CRASHES - CLONE_CRASHES
const AT_ONCE = 3
/** The empty directory, which Kubo pins itself. */
const EMPTY = 'QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn'
/** Who is killed, by turns: Disco, its Kubo, both. */
const VICTIMS = [['disco'], ['kubo'], ['disco', 'kubo']] as const

describe('a Disco and its Kubo that are killed', { timeout: 1_800_000 }, () => {
  let scene: Scene
  let kubo: Kubo

  before(async () => {
    scene = await Scene.begin()
    kubo = await Kubo.start()
    scene.atEnd(() => kubo.remove())
  })
  after(() => scene.end())

  const start = (data: string, args: readonly string[] = []): Promise<DiscoServer> => scene.disco(data, { args: ['--kubo', kubo.url, ...args] })

  /** Kills at a random moment of the first `longest` milliseconds of `work`; all that was killed is there again afterwards. */
  async function crash(server: DiscoServer, number: number, { work, longest, args }: { work: Promise<unknown>; longest: number; args?: readonly string[] }): Promise<DiscoServer> {
    const victims: readonly string[] = VICTIMS[number % VICTIMS.length] ?? []
    const settled = work.catch(() => undefined)
    await sleep(randomInt(0, Math.ceil(longest * 1.2)))
    if (number % 4 === 3) await kubo.ipfs('repo', 'gc', '-q').catch(() => undefined)
    await Promise.all([victims.includes('kubo') ? kubo.kill() : undefined, victims.includes('disco') ? server.kill() : undefined])
    await settled
    if (victims.includes('kubo')) await kubo.up()
    return victims.includes('disco') ? start(server.data.slice(scene.directory.length + 1), args) : server
  }

  it(`${PUSH_CRASHES} times during pushes keep their promises`, async (t) => {
    let server = await start('pushes')
    const acknowledged: PushAttempt[] = []
    const counts = { acknowledged: 0, silentlyGlobal: 0, nothing: 0, gone: 0, resumed: 0 }
    const newAttempt = (name: string, number: number): PushAttempt =>
      pushAttempt(`crash/${name}-${number}`, number % 2 === 0 ? 'latest' : `v${number}`, randomImage(`push ${name} ${number} ${Date.now()}`))
    const pushAll = async (attempts: readonly PushAttempt[]): Promise<void> => {
      const client = new RegistryClient(server.url)
      const results = await Promise.allSettled(attempts.map((attempt) => push(client, attempt)))
      for (const result of results) if (result.status === 'rejected') throw result.reason
    }
    const began = performance.now()
    await pushAll([0, 1, 2].map((number) => newAttempt('warm-up', number)))
    const longest = performance.now() - began

    for (let round = 0; round < PUSH_CRASHES; round++) {
      const attempts = Array.from({ length: AT_ONCE }, (_, number) => newAttempt(`round-${round}`, number))
      server = await crash(server, round, { work: pushAll(attempts), longest, args: round % 3 === 2 ? ['--processes', '2'] : [] })
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

    await kubo.ipfs('repo', 'gc', '-q')
    const client = new RegistryClient(server.url)
    for (const { cid, image } of acknowledged) await assertComplete(client, cid ?? '', 'latest', image.digest)
    await server.stop()
    server = await start('pushes')
    await server.stop()
    const pins = (await kubo.ipfs('pin', 'ls', '-t', 'recursive', '-q')).split('\n').filter((cid) => cid !== EMPTY)
    assert.deepEqual(pins, [], 'no pin is left')
    const used = await diskUse(server.data)
    assert.ok(used < 8 << 20, `${used} bytes are in the data directory: blobs are at the node`)
    t.diagnostic(JSON.stringify(counts))
  })

  it(`${CLONE_CRASHES} times during clones keep their promises`, async (t) => {
    const origin = await scene.disco('origin')
    const all: ImagesByCid = new Map()
    const newImages = async (round: string): Promise<ImagesByCid> => {
      const images = await pushNewImages(origin, `clone ${round} ${Date.now()}`, 2)
      for (const [cid, image] of images) all.set(cid, image)
      return images
    }
    const peers = [origin.url, origin.multiaddr()].map((peer) => ['--peer', peer])
    const counts = { complete: 0, nothing: 0 }
    let server = await start('clones', peers.flat())
    const first = await newImages('warm-up')
    const began = performance.now()
    await pullAll(server, first.keys())
    const longest = performance.now() - began
    await server.stop()

    for (let round = 0; round < CLONE_CRASHES; round++) {
      const images = await newImages(`round ${round}`)
      server = await start('clones', peers[round % 2])
      server = await crash(server, round, { work: pullAll(server, images.keys()), longest })
      await server.kill()
      // With nobody to ask: what it names must be here.
      server = await start('clones', ['--noclone'])
      for (const [cid, { digest }] of images) counts[(await assertWholeOrAbsent(server, cid, digest)) ? 'complete' : 'nothing']++
      await server.kill()
    }

    server = await start('clones', peers[0])
    for (const [cid, { digest }] of all) await assertClonable(new RegistryClient(server.url), digest, cid)
    await kubo.ipfs('repo', 'gc', '-q')
    for (const [cid, { digest }] of all) await assertComplete(new RegistryClient(server.url), cid, 'latest', digest)
    await server.stop()
    t.diagnostic(JSON.stringify(counts))
  })
})
