import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { push, pushAttempt } from '../../crash/push-attempt.ts'
import { randomImage, type RandomImage } from '../../crash/random-image.ts'
import { ROOT, run } from '../harness/command.ts'
import { unusedPort, type DiscoServer } from '../harness/disco.ts'
import { Kubo } from '../harness/kubo.ts'
import { hexOf, RegistryClient } from '../harness/registry-client.ts'
import { Scene } from '../harness/scene.ts'
import { until } from '../harness/until.ts'
import { assertGlobal } from '../harness/verify.ts'


describe('a Disco on Kubos', { timeout: 600_000 }, () => {
  let scene: Scene
  let kubos: Kubo[]

  before(async () => {
    scene = await Scene.begin()
    kubos = await Promise.all([0, 1, 2].map(() => Kubo.start({ config: { 'Addresses.Gateway': '/ip4/127.0.0.1/tcp/0' } })))
    for (const kubo of kubos) scene.atEnd(() => kubo.remove())
  })
  after(() => scene.end())

  const flags = (...nodes: readonly { url: string }[]): string[] => nodes.flatMap(({ url }) => ['--kubo', url])
  const command = (...args: readonly string[]): Promise<string> => run(process.execPath, ['src/cli/main.ts', ...args], { cwd: ROOT })
  const [single, ...several] = [() => kubos.slice(0, 1), () => kubos.slice(1)]
  const both = several[0] ?? assert.fail()

  async function pushed(server: DiscoServer, name: string, image: RandomImage): Promise<string> {
    const attempt = pushAttempt(name, 'latest', image)
    await push(new RegistryClient(server.url), attempt)
    return attempt.cid ?? assert.fail()
  }

  for (const [what, nodes, args] of [['one', single, []], ['two', both, []], ['one, in several processes,', single, ['--processes', '2']]] as const) {
    it(`keeps images in ${what}, and names them at its start`, async () => {
      const server = await scene.disco(`start-${what}`, { args: [...flags(...nodes()), ...args] })
      for (const { url, addresses } of nodes()) assert.match(server.log(), new RegExp(`^kubo +${url} 0\\.\\d+\\.\\d+ ${addresses[0]?.split('/').at(-1)}$`, 'm'))
      assert.doesNotMatch(server.log(), /^(?:ipfs|peer id|network) /m)
      assert.match(server.log(), /^disco: --network, --listen: disco\.network and disco\.listen mean nothing with Kubo/m)
      const image = randomImage(`start ${what}`)
      const cid = await pushed(server, 'start/app', image)
      await assertGlobal(new RegistryClient(server.url), image.digest, cid)
      assert.equal(await command('cid', image.digest, ...flags(...nodes())), cid)
      const listed = JSON.parse(await command('images', '--json', ...flags(...nodes()))) as { cid: string; digest: string; size: number }[]
      assert.deepEqual(listed.filter((one) => one.cid === cid).map(({ digest, size }) => [digest, size]), [[image.digest, image.size]])
      await server.stop()
      const stats = await Promise.all(nodes().map((kubo) => kubo.ipfs('files', 'stat', '--hash', `/docker/registry/v2/repositories/${cid}`).catch(() => '')))
      assert.deepEqual(stats.filter((stat) => stat !== ''), [cid])
    })
  }

  it('tells which node is down, goes on with the others, and takes it back', async () => {
    const [one, other] = both()
    assert.ok(one !== undefined && other !== undefined)
    const debug = `127.0.0.1:${await unusedPort()}`
    const args = [...flags(one, other), '--debug', debug]
    const env = { REGISTRY_HEALTH_STORAGEDRIVER_INTERVAL: '1ms' }
    await other.down()
    let server = await scene.disco('down', { args, env })
    assert.match(server.log(), new RegExp(`^kubo +${other.url} is down: `, 'm'))
    assert.equal(server.log().match(/an IPFS node is not to be used/g)?.length, 1)
    const page = async (path: string): Promise<{ status: number; text: string }> => {
      const response = await fetch(`http://${debug}${path}`)
      return { status: response.status, text: await response.text() }
    }
    const health = await page('/debug/health')
    assert.equal(health.status, 200)
    assert.deepEqual(Object.keys(JSON.parse(health.text) as object), [`ipfs ${other.url}`])
    assert.match((await page('/metrics')).text, new RegExp(`^disco_ipfs_node_up\\{.*node="${other.url}".*\\} 0$`, 'm'))
    assert.equal((await fetch(`${server.url}/readyz`)).status, 200)

    const images = Array.from({ length: 4 }, (_, number) => randomImage(`down ${number}`))
    const outcomes = await Promise.allSettled(images.map((image, number) => pushed(server, `down/app${number}`, image)))
    for (const outcome of outcomes) if (outcome.status === 'rejected') assert.match(String(outcome.reason), /503/)

    await other.up()
    const nodesUp = async (): Promise<boolean> => (await page('/metrics')).text.match(/^disco_ipfs_node_up\{.*\} 1$/gm)?.length === 2
    await until(nodesUp, { what: 'it is taken back', every: 200 })
    assert.match(server.log(), /an IPFS node is back/)
    const client = new RegistryClient(server.url)
    for (const [number, image] of images.entries()) await assertGlobal(client, image.digest, await pushed(server, `down/app${number}`, image))

    await one.down()
    await other.down()
    assert.equal((await fetch(`${server.url}/readyz`)).status, 503)
    assert.equal((await client.manifest(hexOf(images[0]?.digest ?? ''), 'latest')).status, 503)
    await server.stop()
    server = await scene.disco('down', { args })
    await Promise.all([one.up(), other.up()])
    await server.stop()
  })

  it('starts on no program that is none, and says what is wrong', async () => {
    const [kubo] = kubos
    assert.ok(kubo?.gateway !== undefined)
    const failed = (...args: readonly string[]): Promise<string> =>
      command('serve', '--host', '127.0.0.1', '--port', '0', '--data', `${scene.directory}/none`, ...args).then(() => assert.fail(), (error: unknown) => String((error as { stderr?: string }).stderr ?? error))
    assert.match(await failed(...flags({ url: kubo.gateway })), /disco: http:\S+ is no RPC of a Kubo: it answers 40\d, as a gateway does; its RPC is at Addresses\.API, port 5001/)
    assert.match(await failed(...flags(kubo), '--config', '/dev/null', '--kubo', kubo.url), /--kubo: has 127\.0\.0\.1:\d+\/ twice/)
  })

  it('logs in where its Kubo wants it, and shows nobody how', async () => {
    const AuthSecret = 'basic:disco:s3cret'
    const closed = await Kubo.start({ apiAuth: AuthSecret, config: { 'API.Authorizations': {
      one: { AuthSecret, AllowedPaths: ['/api/v0'] },
      other: { AuthSecret: 'bearer:s3cret', AllowedPaths: ['/api/v0'] },
    } } })
    scene.atEnd(() => closed.remove())
    const withUser = closed.url.replace('//', '//disco:s3cret@')
    for (const [number, options] of [{ args: flags({ url: withUser }) }, { env: { REGISTRY_STORAGE_IPFS_ROUTER_NODES: `[{url: "${closed.url}", token: s3cret}]` } }].entries()) {
      const server = await scene.disco(`login-${number}`, options)
      const image = randomImage(`login ${number}`)
      await assertGlobal(new RegistryClient(server.url), image.digest, await pushed(server, 'login/app', image))
      await server.stop()
      assert.doesNotMatch(server.log(), /s3cret/)
    }
    assert.doesNotMatch(await command('config', ...flags({ url: withUser })), /s3cret/)
    const stranger = await scene.disco('login-2', { args: flags(closed) }).then(() => '', String)
    assert.match(stranger, /lets nobody in without a login that is not the one given: name user:password@ in its URL, or its token/)
    assert.match(await scene.disco('login-3', { args: flags({ url: withUser.replace('s3cret', 'secret') }) }).then(() => '', String), /lets nobody in/)
  })
})
