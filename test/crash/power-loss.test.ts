import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DiscoServer } from '../e2e/harness/disco.ts'
import { RegistryClient } from '../e2e/harness/registry-client.ts'
import { Scene } from '../e2e/harness/scene.ts'
import { assertClonable, assertComplete } from '../e2e/harness/verify.ts'
import { assertWholeOrAbsent, pullAll, pushNewImages } from './clones.ts'
import { PowerDisk } from './power-disk.ts'
import { assertPromises } from './promises.ts'
import { push, pushAttempt, resumeUploads, type PushAttempt } from './push-attempt.ts'
import { randomImage } from './random-image.ts'

const CUTS = Number(process.env['DISCO_TEST_POWER_CUTS'] ?? 8)
const CLONE_CUTS = Math.floor(CUTS / 3)
const PUSH_CUTS = CUTS - CLONE_CUTS
const PUSHES_AT_ONCE = 3
const CLONES_AT_ONCE = 2
/** Well below the 30 s after which the kernel writes back by itself. */
const LONGEST_ROUND_MS = 1500

const needsRoot = process.getuid?.() === 0 ? false : 'mounting a file system needs root'

describe('a server whose power fails', { timeout: 1_800_000, skip: needsRoot }, () => {
  let scene: Scene
  let disk: PowerDisk
  const data = join('mount', 'data')

  beforeEach(async () => {
    scene = await Scene.begin()
    disk = new PowerDisk(scene.directory, await scene.folder('mount'))
    scene.atEnd(() => disk.remove())
    await disk.create()
  })

  afterEach(() => scene.end())

  /**
   * Lets a server work for a while, kills it, and takes away from the disk what was never synced.
   *
   * @returns whether that was anything: another program's sync(2) makes everything durable
   */
  async function powerFails(server: DiscoServer, working: Promise<unknown>): Promise<boolean> {
    const control = join(disk.mountPoint, 'control')
    await rm(control, { force: true })
    await writeFile(control, 'never synced')
    await sleep(randomInt(0, LONGEST_ROUND_MS))
    await server.kill()
    await disk.cut()
    await working
    return (await readFile(control, 'utf8').catch(() => '')) !== 'never synced'
  }

  it(`${PUSH_CUTS} times during pushes keeps its promises`, async (t) => {
    const acknowledged: PushAttempt[] = []
    const counts = { lossy: 0, acknowledged: 0, silentlyGlobal: 0, nothing: 0, gone: 0, resumed: 0 }

    for (let cut = 0; cut < PUSH_CUTS; cut++) {
      let server = await scene.disco(data)
      const attempts = Array.from({ length: PUSHES_AT_ONCE }, (_, number) => {
        const tag = number % 2 === 0 ? 'latest' : 'v1'
        return pushAttempt(`power/${cut}-${number}`, tag, randomImage(`power ${cut} ${number}`))
      })
      const pushes = attempts.map((attempt) => push(new RegistryClient(server.url), attempt))
      if (await powerFails(server, Promise.allSettled(pushes))) counts.lossy++

      server = await scene.disco(data)
      const client = new RegistryClient(server.url)
      for (const attempt of attempts) {
        const isGlobal = await assertPromises(client, attempt)
        counts[attempt.cid !== undefined ? 'acknowledged' : isGlobal ? 'silentlyGlobal' : 'nothing']++
        const { gone, resumed } = await resumeUploads(client, attempt, false)
        counts.gone += gone
        counts.resumed += resumed
        if (attempt.cid === undefined) await push(client, attempt)
        acknowledged.push(attempt)
      }
      for (const { cid, image } of acknowledged) await assertComplete(client, cid ?? '', 'latest', image.digest)
      await server.stop()
    }
    t.diagnostic(JSON.stringify(counts))
    assert.ok(counts.lossy > 0, 'what was not synced was lost at least once')
  })

  it(`${CLONE_CUTS} times during clones keeps its promises`, async (t) => {
    const origin = await scene.disco('origin')
    const peers = [origin.url, origin.multiaddr()]
    const counts = { lossy: 0, complete: 0, nothing: 0 }
    for (let cut = 0; cut < CLONE_CUTS; cut++) {
      const images = await pushNewImages(origin, `power ${cut}`, CLONES_AT_ONCE)
      const server = await scene.disco(data, { peers: [peers[cut % 2] ?? assert.fail()] })
      if (await powerFails(server, pullAll(server, images.keys()).catch(() => undefined))) counts.lossy++

      const alone = await scene.disco(data, { args: ['--noclone'] })
      for (const [cid, { digest }] of images) {
        counts[(await assertWholeOrAbsent(alone, cid, digest)) ? 'complete' : 'nothing']++
      }
      await alone.stop()
      const again = await scene.disco(data, { peers })
      for (const [cid, { digest }] of images) await assertClonable(new RegistryClient(again.url), digest, cid)
      await again.stop()
    }
    t.diagnostic(JSON.stringify(counts))
    assert.ok(counts.lossy > 0, 'what was not synced was lost at least once')
  })
})
