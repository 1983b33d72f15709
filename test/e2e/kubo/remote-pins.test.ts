import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { RemotePins, type RemotePinsParts } from '../../../src/ipfs/kubo/pins/remote-pins.ts'
import { silentLogger } from '../../../src/telemetry/create-logger.ts'
import type { Logger } from '../../../src/telemetry/logger.ts'
import { first } from '../../ipfs-network/harness.ts'
import { disco, startDisco, unusedPort, type DiscoOptions, type DiscoServer } from '../harness/disco.ts'
import { Kubo } from '../harness/kubo.ts'
import { PinningServer } from '../harness/pinning-service.ts'
import { pushImage } from '../harness/push-image.ts'
import { RegistryClient } from '../harness/registry-client.ts'
import { until } from '../harness/until.ts'
import { assertGlobal } from '../harness/verify.ts'
import { kuboSide, type KuboSide } from './network-scene.ts'

describe('remote pins', { timeout: 180_000 }, () => {
  let keeper: Kubo
  let service: PinningServer

  before(async () => {
    keeper = await Kubo.start()
    service = await PinningServer.start(keeper)
  })

  after(async () => {
    await service.close()
    await keeper.remove()
  })

  it('hold an image whole: it is pulled when its own node is gone', async () => {
    const own = await Kubo.start()
    const data = await mkdtemp(join(tmpdir(), 'disco-pins-'))
    const servers: DiscoServer[] = []
    const start = async (options: DiscoOptions): Promise<DiscoServer> => {
      const server = await startDisco(options)
      servers.push(server)
      return server
    }
    try {
      await know(own, service)
      const debug = `127.0.0.1:${await unusedPort()}`
      const args = ['--kubo', own.url, '--debug', debug]
      const server = await start({ data: join(data, 'own'), args, env: { DISCO_PINNING: 'keeper' } })
      const { cid, digest } = await pushImage(new RegistryClient(server.url), 'image', { seed: 'remote pins', sizes: [3 * 1024 * 1024 + 1, 100] })
      await until(async () => (await disco(['images'], join(data, 'own'))).includes('keeper: pinned'))
      assert.deepEqual((JSON.parse(await disco(['images', '--json', '--kubo', own.url], join(data, 'own'))) as { pins: unknown }[])[0]?.pins, [{ service: 'keeper', state: 'pinned' }])
      assert.match(await (await fetch(`http://${debug}/metrics`)).text(), /^disco_ipfs_remote_pins\{service="keeper",state="pinned"\} 1$/m)
      assert.deepEqual(service.pins.map(({ pin, status }) => [pin.name, status]), [[digest, 'pinned']])
      await server.stop()
      await own.remove()

      await keeper.ipfs('repo', 'gc', '-q')
      const other = await start({ data: join(data, 'other'), args: ['--kubo', keeper.url] })
      const client = new RegistryClient(other.url)
      await client.manifest(cid, 'latest')
      await until(async () => (await client.tags(digest.slice('sha256:'.length))) !== undefined)
      await assertGlobal(client, digest, cid)
    } finally {
      for (const server of servers) await server.kill()
      await own.remove()
      await rm(data, { recursive: true, force: true })
    }
  })

  describe('of a registry', () => {
    let side: KuboSide
    let name: string | undefined = 'sha256:name'
    const parts = (): RemotePinsParts => ({
      nodes: side.nodes, holds: side.holds, database: side.local.database, services: ['keeper'], nameOf: async () => name, log: silentLogger(), interval: 100, recheck: 500, retry: 200,
    })

    before(async () => {
      side = await kuboSide({ nodes: 2 })
      for (const kubo of side.kubos) await know(kubo, service)
      await side.network.start()
      await until(async () => (await side.network.info()).peers > 0)
    })

    after(() => side.close())

    it('are asked for when all of the image is at the node that the service is sent to, however often that fails', async () => {
      const apart = await kuboSide({ nodes: 2 })
      await using stack = new AsyncDisposableStack()
      stack.defer(() => apart.close())
      for (const kubo of apart.kubos) await know(kubo, service)
      const root = await apart.index.addTree(new Map([['disco.json', randomBytes(100)]]))
      const blobs = await Promise.all(apart.nodes.all.map((node) => node.add(only(randomBytes(2_000_000)))))
      const pins = stack.adopt(await RemotePins.open({
        ...parts(), nodes: apart.nodes, holds: apart.holds, database: apart.local.database, nameOf: async () => 'sha256:apart', timeout: 2000,
      }), (opened) => opened.stop())
      pins.start()
      await pins.provide([root, ...blobs])
      await until(async () => pins.list()[0]?.reason?.includes('nothing came') === true)
      await first(apart.kubos).connect(apart.kubos[1] ?? keeper)
      await until(async () => pins.list()[0]?.state === 'pinned')
      for (const cid of [root, ...blobs]) await keeper.ipfs('dag', 'stat', '--offline', '--progress=false', String(cid))
    })

    it('are asked for again until they succeed, also after a restart, and go with their image', async () => {
      service.failing = 503
      const root = await side.index.addTree(new Map([['disco.json', randomBytes(100)]]))
      // One blob at each node.
      const blobs = await Promise.all(side.nodes.all.map((node) => node.add(only(randomBytes(2_000_000)))))
      await using stack = new AsyncDisposableStack()
      const warnings: object[] = []
      const log = { ...silentLogger(), debug: () => {}, info: () => {}, warn: (fields: object) => void warnings.push(fields) } as unknown as Logger
      const pins = stack.adopt(await RemotePins.open({ ...parts(), log }), (opened) => opened.stop())
      pins.start()
      await pins.provide([root, ...blobs])
      assert.deepEqual(pins.list().map(({ image, state }) => [String(image), state]), [[String(root), 'waiting']])
      await until(async () => pins.list()[0]?.state === 'failed')
      const { reason = '' } = first(pins.list())
      assert.match(reason, /503|OUT_OF_ORDER/)
      await until(async () => first(side.local.database.all<{ failures: number }>('SELECT failures FROM kubo_remote_pin')).failures >= 2)
      await pins.stop()
      assert.deepEqual(warnings.map((fields) => (fields as { reason?: string }).reason), [reason])

      const held = Promise.withResolvers<void>()
      service.hold = held.promise
      service.failing = undefined
      const again = stack.adopt(await RemotePins.open(parts()), (opened) => opened.stop())
      again.start()
      await until(async () => again.list()[0]?.state === 'queued')
      held.resolve()
      await until(async () => again.list()[0]?.state === 'pinned')
      assert.equal(first(again.list()).reason, undefined)
      for (const cid of [root, ...blobs]) await keeper.ipfs('dag', 'stat', '--offline', '--progress=false', String(cid))
      await until(async () => (await Promise.all(side.nodes.all.map((node) => node.list('/disco/pins')))).every((held) => (held ?? []).length === 0))

      // One that the service has lost is asked for again.
      const lost = service.pins.find(({ pin }) => pin.name === name)
      await fetch(`${service.url}/pins/${lost?.requestid ?? ''}`, { method: 'DELETE', headers: { Authorization: `Bearer ${service.token}` } })
      await until(async () => service.pins.some(({ pin, status }) => pin.name === name && status === 'pinned'))

      name = undefined
      await until(async () => again.list().length === 0)
      assert.ok(!service.pins.some(({ pin }) => pin.name === 'sha256:name'))
    })
  })
})

async function know(kubo: Kubo, { url, token }: PinningServer): Promise<void> {
  await kubo.ipfs('pin', 'remote', 'service', 'add', 'keeper', url, token)
}

async function* only<T>(item: T): AsyncGenerator<T> {
  yield item
}

