import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { attempt, run } from './harness/command.ts'
import type { DiscoServer } from './harness/disco.ts'
import { dockerPush, type Docker } from './harness/docker.ts'
import { smallImage } from './harness/images.ts'
import { guardedDisco } from './harness/passwords.ts'
import { RegistryClient, hexOf } from './harness/registry-client.ts'
import { Scene } from './harness/scene.ts'
import { assertClonable, assertComplete, cidByTags } from './harness/verify.ts'

const USERS = { alice: 'wonderland', bob: 'builder' }
const ALICE = `Basic ${Buffer.from('alice:wonderland').toString('base64')}`

describe('a registry that asks who is there', { timeout: 600_000 }, () => {
  let scene: Scene
  let docker: Docker
  let other: Docker
  let layout: string
  let digest: string

  before(async () => {
    scene = await Scene.begin()
    docker = await scene.docker()
    other = await scene.docker()
    layout = join(scene.directory, 'image')
    digest = await smallImage(layout, { seed: 'auth', layers: [100_000, 10] })
  })

  after(() => scene.end())

  const login = (who: Docker, { host }: DiscoServer, password: string): Promise<{ code: number | null }> => who.tryDocker('login', '-u', 'alice', '-p', password, host)
  const skopeo = (...args: readonly string[]): Promise<{ code: number | null; stderr: string }> => attempt('skopeo', ['copy', '-q', '--all', '--preserve-digests', ...args])
  const crane = (config: string, ...args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> => attempt('crane', args, { env: { DOCKER_CONFIG: join(scene.directory, config) } })

  /** Nothing of the password stands in the log of a server. */
  const keepsSecrets = (server: DiscoServer): void => assert.doesNotMatch(server.log(), /wonderland|Basic |Bearer ey/)

  it('lets Docker, skopeo and crane in by their password, and without it nowhere', async () => {
    const server = await guardedDisco(scene, 'closed', { users: USERS }, { args: ['--processes', '2'] })
    const name = `${server.host}/team/app:v1`
    await scene.load(docker, layout, 'small', name)
    assert.notEqual((await docker.tryDocker('push', name)).code, 0)
    assert.notEqual((await login(docker, server, 'wrong')).code, 0)
    assert.equal((await login(docker, server, 'wonderland')).code, 0)
    const pushed = await dockerPush(docker, name)
    await assertComplete(new RegistryClient(server.url, ALICE), 'team/app', 'v1', pushed)
    assert.notEqual((await other.tryDocker('pull', name)).code, 0)
    assert.equal((await login(other, server, 'wonderland')).code, 0)
    await other.docker('pull', `${server.host}/${hexOf(pushed)}@${pushed}`)

    const target = `docker://${server.host}/by/skopeo:v1`
    assert.notEqual((await skopeo('--dest-tls-verify=false', `oci:${layout}:small`, target)).code, 0)
    const copied = await skopeo('--dest-tls-verify=false', '--dest-creds', 'alice:wonderland', `oci:${layout}:small`, target)
    assert.equal(copied.code, 0, copied.stderr)
    assert.notEqual((await crane('nobody', 'digest', `${server.host}/by/skopeo:v1`)).code, 0)
    await crane('alice', 'auth', 'login', '-u', 'alice', '-p', 'wonderland', server.host)
    assert.equal((await crane('alice', 'digest', `${server.host}/by/skopeo:v1`)).stdout.trim(), digest)
    const cid = await cidByTags(new RegistryClient(server.url, ALICE), digest)

    const second = await scene.disco('closed-second', { peers: [`http://alice:wonderland@${server.host}`] })
    await assertClonable(new RegistryClient(second.url), digest, cid)
    for (const one of [server, second]) keepsSecrets(one)
    await second.stop()
    await server.stop()
  })

  it('lets everybody pull and those push who log in, by tokens of its own', async () => {
    const server = await guardedDisco(scene, 'open', { users: USERS, anonymousPull: true }, { args: ['--processes', '2'] })
    const name = `${server.host}/app:v1`
    await scene.load(docker, layout, 'small', name)
    const refused = await docker.tryDocker('push', name)
    assert.notEqual(refused.code, 0)
    assert.match(refused.stderr, /unauthorized|denied|authentication required/)
    assert.notEqual((await login(docker, server, 'wrong')).code, 0)
    assert.equal((await login(docker, server, 'wonderland')).code, 0)
    const pushed = await dockerPush(docker, name)
    await other.docker('pull', name)
    await docker.docker('tag', name, `${server.host}/again:v1`)
    assert.equal(await dockerPush(docker, `${server.host}/again:v1`), pushed, 'layers are mounted')

    const target = `docker://${server.host}/by/skopeo:v1`
    assert.notEqual((await skopeo('--dest-tls-verify=false', `oci:${layout}:small`, target)).code, 0)
    const copied = await skopeo('--dest-tls-verify=false', '--dest-creds', 'bob:builder', `oci:${layout}:small`, target)
    assert.equal(copied.code, 0, copied.stderr)
    const back = await skopeo('--src-tls-verify=false', target, `oci:${join(scene.directory, 'back')}:small`)
    assert.equal(back.code, 0, back.stderr)
    assert.equal((await crane('nobody', 'digest', `${server.host}/by/skopeo:v1`)).stdout.trim(), digest)
    assert.notEqual((await crane('nobody', 'copy', `${server.host}/by/skopeo:v1`, `${server.host}/by/crane:v1`)).code, 0)
    await run('crane', ['auth', 'login', '-u', 'bob', '-p', 'builder', server.host], { env: { DOCKER_CONFIG: join(scene.directory, 'bob') } })
    const again = await crane('bob', 'copy', `${server.host}/by/skopeo:v1`, `${server.host}/by/crane:v1`)
    assert.equal(again.code, 0, again.stderr)

    const cid = await cidByTags(new RegistryClient(server.url), digest)
    const second = await scene.disco('open-second', { peers: [server.url] })
    await assertClonable(new RegistryClient(second.url), digest, cid)
    keepsSecrets(server)
    await second.stop()
    await server.stop()
  })

  it('does by its rules what they say', async () => {
    const access = [
      { repository: ['<cid>', '<digest>'], users: ['anonymous'], actions: ['pull'] },
      { repository: ['alice/**'], users: ['alice'], actions: ['pull', 'push'] },
    ]
    const server = await guardedDisco(scene, 'rules', { users: USERS, access })
    const mine = `${server.host}/alice/app:v1`
    const theirs = `${server.host}/bob/app:v1`
    await scene.load(docker, layout, 'small', mine)
    await docker.docker('tag', mine, theirs)
    assert.equal((await login(docker, server, 'wonderland')).code, 0)
    const pushed = await dockerPush(docker, mine)
    const denied = await docker.tryDocker('push', theirs)
    assert.notEqual(denied.code, 0)
    assert.match(denied.stderr, /denied/)
    assert.notEqual((await other.tryDocker('pull', mine)).code, 0)
    await other.docker('pull', `${server.host}/${hexOf(pushed)}@${pushed}`)
    const cid = await cidByTags(new RegistryClient(server.url), pushed)
    await other.docker('pull', `${server.host}/${cid}`)
    await server.stop()
  })
})
