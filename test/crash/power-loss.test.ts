import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { RegistryClient } from '../e2e/harness/registry-client.ts'
import { Scene } from '../e2e/harness/scene.ts'
import { assertComplete } from '../e2e/harness/verify.ts'
import { PowerDisk } from './power-disk.ts'
import { assertPromises } from './promises.ts'
import { push, pushAttempt, resumeUploads, type PushAttempt } from './push-attempt.ts'
import { randomImage } from './random-image.ts'

const CUTS = Number(process.env['DISCO_POWER_CUTS'] ?? 8)
const PUSHES_AT_ONCE = 3
/** Well below the 30 s after which the kernel writes back by itself. */
const LONGEST_ROUND_MS = 1500

const needsRoot = process.getuid?.() === 0 ? false : 'mounting a file system needs root'

describe('a server whose power fails', { timeout: 1_800_000, skip: needsRoot }, () => {
  let scene: Scene
  let disk: PowerDisk
  let data: string

  before(async () => {
    scene = await Scene.begin()
    disk = new PowerDisk(scene.directory, await scene.folder('mount'))
    await disk.create()
    data = join('mount', 'data')
  })

  after(async () => {
    await disk.remove()
    await scene.end()
  })

  it(`${CUTS} times during pushes keeps its promises`, async (t) => {
    const acknowledged: PushAttempt[] = []
    const counts = { acknowledged: 0, silentlyGlobal: 0, nothing: 0, gone: 0, resumed: 0 }

    for (let cut = 0; cut < CUTS; cut++) {
      let server = await scene.disco(data)
      const attempts = Array.from({ length: PUSHES_AT_ONCE }, (_, number) => {
        const tag = number % 2 === 0 ? 'latest' : 'v1'
        return pushAttempt(`power/${cut}-${number}`, tag, randomImage(`power ${cut} ${number}`))
      })
      const pushing = Promise.allSettled(attempts.map((attempt) => push(new RegistryClient(server.url), attempt)))
      const control = join(disk.mountPoint, `control-${cut}`)
      await writeFile(control, 'never synced')
      await sleep(randomInt(0, LONGEST_ROUND_MS))
      await server.kill()
      await disk.cut()
      await pushing
      const survived = await readFile(control, 'utf8').catch(() => '')
      assert.notEqual(survived, 'never synced', 'the disk loses what was not synced')

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
  })
})
