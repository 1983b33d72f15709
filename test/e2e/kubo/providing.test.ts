import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startDisco, type DiscoServer } from '../harness/disco.ts'
import { Kubo, type KuboOptions } from '../harness/kubo.ts'
import { pushImage, type PushedImage } from '../harness/push-image.ts'
import { RegistryClient } from '../harness/registry-client.ts'
import { until, type UntilOptions } from '../harness/until.ts'

/** A DHT of loopback, which is a LAN's. */
/** To be found takes its time. */
const PATIENT: UntilOptions = { timeout: 60_000, every: 300 }
const DHT: NonNullable<KuboOptions['config']> = { 'Routing.Type': 'dhtserver', 'Routing.LoopbackAddressesOnLanDHT': true }

describe('providing by Kubo', { timeout: 180_000 }, () => {
  const kubos: Kubo[] = []
  let seeker: Kubo

  before(async () => {
    for (let i = 0; i < 2; i++) kubos.push(await Kubo.start({ config: DHT }))
    const [one, other] = kubos
    if (one === undefined || other === undefined) throw new Error('no Kubo')
    await one.connect(other)
    seeker = other
  })

  after(async () => {
    for (const kubo of kubos) await kubo.remove()
  })

  /** Pushes to a Disco over a Kubo of this configuration; which commands it gave to it, and who `seeker` is told that has the image. */
  async function push(provide: Record<string, unknown>): Promise<{ image: PushedImage; kubo: Kubo; commands: () => string[]; close: () => Promise<void> }> {
    const kubo = await Kubo.start({ config: { ...DHT, ...provide } })
    const data = await mkdtemp(join(tmpdir(), 'disco-providing-'))
    const proxy = await recordingProxy(kubo.url)
    let server: DiscoServer | undefined
    const close = async (): Promise<void> => {
      await server?.kill()
      await proxy.close()
      await kubo.remove()
      await rm(data, { recursive: true, force: true })
    }
    try {
      for (const other of kubos) await kubo.connect(other)
      server = await startDisco({ data, args: ['--kubo', proxy.url] })
      const image = await pushImage(new RegistryClient(server.url), 'image', { seed: `providing ${JSON.stringify(provide)}`, sizes: [2_000_000, 100] })
      return { image, kubo, commands: () => proxy.commands, close }
    } catch (error) {
      await close()
      throw error
    }
  }

  it('is done by hand where the node leaves MFS out', async () => {
    const { image, kubo, commands, close } = await push({ 'Provide.Strategy': 'pinned' })
    try {
      const { blobs } = JSON.parse(await kubo.ipfs('cat', `${image.cid}/disco.json`)) as { blobs: { cid: string }[] }
      const { ID } = JSON.parse(await kubo.ipfs('id')) as { ID: string }
      for (const cid of [image.cid, ...blobs.map((blob) => blob.cid)]) {
        await until(async () => (await seeker.ipfs('routing', 'findprovs', '--num-providers=1', cid)).includes(ID), { what: `${cid} is found`, ...PATIENT })
      }
      assert.equal(commands().filter((command) => command === 'provide/once').length, 1 + blobs.length)
    } finally {
      await close()
    }
  })

  it('is left to the node where it does so', async () => {
    const { image, kubo, commands, close } = await push({ 'Provide.Strategy': 'all' })
    try {
      const { ID } = JSON.parse(await kubo.ipfs('id')) as { ID: string }
      await until(async () => (await seeker.ipfs('routing', 'findprovs', '--num-providers=1', image.cid)).includes(ID), { what: `${image.cid} is found`, ...PATIENT })
      // The queue is looked at, and each root asked after.
      await until(async () => commands().filter((command) => command === 'config').length >= 5, { what: 'the queue is looked at', ...PATIENT })
      assert.ok(!commands().includes('provide/once'))
    } finally {
      await close()
    }
  })
})

/** Passes commands on to a Kubo and remembers their names. */
async function recordingProxy(url: string): Promise<{ url: string; commands: string[]; close(): Promise<void> }> {
  const commands: string[] = []
  const server = createServer((incoming, outgoing) => {
    const path = incoming.url ?? ''
    commands.push(path.replace(/^\/api\/v0\//, '').replace(/\?.*/, ''))
    const passed = request(new URL(path, url), { method: 'POST', headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    passed.on('error', () => outgoing.destroy())
    incoming.pipe(passed)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, commands, close }
}
