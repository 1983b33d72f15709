import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { decodeJwt, SignJWT } from 'jose'
import { talk } from '../http/harness.ts'
import { asDocker, challengeOf, startGuarded, type Guarded } from './guarded.ts'
import { basic, entry, scratch } from './harness.ts'

const ALICE = basic('alice', 'wonderland')
const LAYER = Buffer.from('a layer')
const DIGEST = `sha256:${createHash('sha256').update(LAYER).digest('hex')}`
const MANIFEST = JSON.stringify({
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: DIGEST, size: LAYER.length },
  layers: [],
})

interface Grant {
  readonly token: string
  readonly access_token: string
  readonly expires_in: number
  readonly issued_at: string
  readonly scope: string
}

async function codeOf(response: Response): Promise<string> {
  const { errors } = (await response.json()) as { errors: { code: string }[] }
  return `${response.status} ${errors[0]?.code}`
}

async function pushAll(login: string | undefined, guarded: Guarded, name: string): Promise<void> {
  const opened = await asDocker(guarded, login, 'POST', `/v2/${name}/blobs/uploads/`)
  assert.equal(opened.status, 202)
  const put = await asDocker(guarded, login, 'PUT', `${opened.headers.get('location')}?digest=${DIGEST}`, LAYER)
  assert.equal(put.status, 201)
  const manifest = await asDocker(guarded, login, 'PUT', `/v2/${name}/manifests/v1`, MANIFEST)
  assert.equal(manifest.status, 201, await manifest.text())
}

async function grantOf(guarded: Guarded, query: string, login?: string): Promise<Grant> {
  const answer = await guarded.ask('GET', `/auth/token?service=test&${query}`, login)
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  return (await answer.json()) as Grant
}

describe('a registry with passwords', () => {
  it('asks for one by Basic, and takes it', async (t) => {
    const guarded = await startGuarded(t)
    const refused = await guarded.ask('GET', '/v2/')
    assert.deepEqual(challengeOf(refused), { scheme: 'Basic', realm: 'test' })
    assert.equal(await codeOf(refused), '401 UNAUTHORIZED')
    assert.equal((await guarded.ask('GET', '/v2/', ALICE)).status, 200)
    for (const wrong of [basic('alice', 'x'), basic('carol', 'wonderland'), 'Basic', 'Basic !!', 'Bearer x', 'Digest x', ALICE.slice(6)]) {
      assert.equal((await guarded.ask('GET', '/v2/', wrong)).status, 401, wrong)
    }
    assert.equal((await guarded.ask('GET', '/auth/token')).status, 404)
  })

  it('tells nothing to those who have not said who they are: not what there is, nor what there is not', async (t) => {
    const guarded = await startGuarded(t)
    await pushAllBasic(guarded, 'here')
    const paths = ['/v2/here/manifests/v1', '/v2/not-here/manifests/v1', `/v2/here/blobs/${DIGEST}`, '/v2/_catalog', '/v2/here/tags/list', '/v2/no/such/endpoint', '/v2/here/blobs/uploads/x']
    for (const path of paths) {
      for (const method of ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS']) {
        const answer = await guarded.ask(method, path)
        assert.deepEqual([answer.status, answer.headers.get('www-authenticate'), answer.headers.get('allow')], [401, 'Basic realm="test"', null], `${method} ${path}`)
      }
    }
    assert.equal(await codeOf(await guarded.ask('PATCH', '/v2/_catalog', ALICE)), '405 UNSUPPORTED')
    assert.equal(await codeOf(await guarded.ask('GET', '/v2/no/such/endpoint', ALICE)), '404 UNSUPPORTED')
  })

  it('reads nothing of a body that it does not want', async (t) => {
    const { port } = await startGuarded(t)
    const answer = await talk(port, `POST /v2/x/blobs/uploads/?digest=${DIGEST} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n`)
    assert.match(answer, /^HTTP\/1\.1 401 /)
    assert.doesNotMatch(answer, /100 Continue/)
  })

  it('slows down who guesses, and tells when to come again', async (t) => {
    const guarded = await startGuarded(t, { anonymousPull: true })
    let last: Response | undefined
    for (let i = 0; i < 8; i++) last = await guarded.ask('GET', i % 2 === 0 ? '/v2/' : '/auth/token', basic('bob', `guess ${i}`))
    assert.equal(last?.status, 429)
    assert.match(last?.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
    assert.equal((await guarded.ask('GET', '/v2/', ALICE)).status, 200)
  })
})

async function pushAllBasic(guarded: Guarded, name: string): Promise<void> {
  const opened = await guarded.ask('POST', `/v2/${name}/blobs/uploads/?digest=${DIGEST}`, ALICE, LAYER)
  assert.equal(opened.status, 201)
  assert.equal((await guarded.ask('PUT', `/v2/${name}/manifests/v1`, ALICE, MANIFEST)).status, 201)
}

describe('a registry from which everybody may pull', () => {
  it('sends clients for tokens, and they push with a password and pull without', async (t) => {
    const guarded = await startGuarded(t, { anonymousPull: true })
    const { scheme, realm, service } = challengeOf(await guarded.ask('GET', '/v2/'))
    assert.deepEqual({ scheme, realm, service }, { scheme: 'Bearer', realm: `${guarded.base}/auth/token`, service: 'test' })
    assert.equal((await asDocker(guarded, undefined, 'GET', '/v2/')).status, 200)
    assert.equal((await asDocker(guarded, ALICE, 'GET', '/v2/')).status, 200)
    assert.equal((await asDocker(guarded, basic('alice', 'x'), 'GET', '/v2/')).status, 401)

    await pushAll(ALICE, guarded, 'a/b')
    assert.equal((await guarded.ask('GET', '/v2/a/b/manifests/v1')).status, 200, 'without any token')
    const { token } = await grantOf(guarded, 'scope=repository:a/b:pull')
    assert.equal((await guarded.ask('GET', `/v2/a/b/blobs/${DIGEST}`, `Bearer ${token}`)).status, 200)
    const refused = await guarded.ask('POST', '/v2/a/b/blobs/uploads/', `Bearer ${token}`)
    assert.deepEqual(challengeOf(refused), { scheme: 'Bearer', realm, service: 'test', scope: 'repository:a/b:pull,push', error: 'insufficient_scope' })
    assert.equal((await asDocker(guarded, undefined, 'POST', '/v2/a/b/blobs/uploads/')).status, 401)
    assert.equal((await guarded.ask('POST', '/v2/a/b/blobs/uploads/', ALICE)).status, 202, 'Basic goes on working')
  })

  it('grants of what is asked for what is allowed, in the forms that clients know', async (t) => {
    const guarded = await startGuarded(t, { anonymousPull: true })
    const nobody = await grantOf(guarded, 'scope=repository:a:pull,push&scope=repository:b:delete%20registry:catalog:*')
    assert.equal(nobody.scope, 'repository:a:pull')
    const alice = await grantOf(guarded, 'scope=repository:host:5000/a:pull,push&scope=repository(plugin):b:*&scope=nonsense', ALICE)
    assert.equal(alice.scope, 'repository:host:5000/a:pull,push repository:b:*')
    assert.equal(alice.token, alice.access_token)
    assert.equal(alice.expires_in, 300)
    assert.ok(Math.abs(Date.parse(alice.issued_at) - Date.now()) < 10_000)
    assert.equal(decodeJwt(alice.token).sub, 'alice')

    const form = (fields: Record<string, string>): Promise<Response> => guarded.ask('POST', '/auth/token', undefined, new URLSearchParams(fields))
    const login = { grant_type: 'password', username: 'alice', password: 'wonderland', service: 'test', client_id: 'containerd-client' }
    const answer = await form({ ...login, scope: 'repository:a:pull,push repository:b:pull' })
    const { scope, access_token: token } = (await answer.json()) as Grant
    assert.equal(scope, 'repository:a:pull,push repository:b:pull')
    assert.equal((await guarded.ask('POST', '/v2/a/blobs/uploads/', `Bearer ${token}`)).status, 202)
    assert.equal((await form({ ...login, password: 'x' })).status, 401)
    assert.equal((await form({ grant_type: 'refresh_token', refresh_token: 'x' })).status, 400)
    assert.equal((await guarded.ask('POST', '/auth/token', undefined, 'x'.repeat(70_000))).status, 413)
    assert.equal((await guarded.ask('PUT', '/auth/token')).status, 405)
  })

  it('takes its own tokens alone, and each for what it names', async (t) => {
    const guarded = await startGuarded(t, { anonymousPull: true })
    const other = await startGuarded(t, { anonymousPull: true })
    const { token } = await grantOf(guarded, 'scope=repository:a:pull,push', ALICE)
    const asked = async (bearer: string, path = '/v2/a/blobs/uploads/'): Promise<[number, string | undefined]> => {
      const answer = await guarded.ask('POST', path, `Bearer ${bearer}`)
      return [answer.status, challengeOf(answer)['error']]
    }
    assert.deepEqual(await asked(token), [202, undefined])
    assert.deepEqual(await asked(token, '/v2/b/blobs/uploads/'), [401, 'insufficient_scope'])
    const { token: foreign } = await grantOf(other, 'scope=repository:a:pull,push', ALICE)
    assert.deepEqual(await asked(foreign), [401, 'invalid_token'])
    const [head, , signature] = token.split('.')
    const claims = Buffer.from(JSON.stringify({ ...decodeJwt(token), access: [{ type: 'repository', name: 'b', actions: ['*'] }] })).toString('base64url')
    assert.deepEqual(await asked(`${head}.${claims}.${signature}`, '/v2/b/blobs/uploads/'), [401, 'invalid_token'])
    const forged = await new SignJWT({ ...decodeJwt(token) }).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.alloc(32))
    assert.deepEqual(await asked(forged), [401, 'invalid_token'])
  })

  it('has one key for all its processes and after a restart: the configured secret, or one that it keeps to itself', async (t) => {
    const data = await scratch(t)
    const config = { anonymousPull: true, data }
    const [first, second] = await Promise.all([startGuarded(t, config), startGuarded(t, config)])
    const { token } = await grantOf(first, 'scope=repository:a:pull,push', ALICE)
    assert.equal((await second.ask('POST', '/v2/a/blobs/uploads/', `Bearer ${token}`)).status, 202)
    assert.equal((await stat(join(data, 'token.key'))).mode & 0o777, 0o600)
    assert.equal((await readFile(join(data, 'token.key'))).length, 32)

    const [third, fourth] = await Promise.all([1, 2].map(() => startGuarded(t, { anonymousPull: true, httpSecret: 'shared by all of them' })))
    assert.ok(third !== undefined && fourth !== undefined)
    const shared = await grantOf(third, 'scope=repository:a:pull,push', ALICE)
    assert.equal((await fourth.ask('POST', '/v2/a/blobs/uploads/', `Bearer ${shared.token}`)).status, 202)
  })

  it('takes no token for more than the rules allow now', async (t) => {
    const shared = { httpSecret: 'shared by all of them' }
    const before = await startGuarded(t, { ...shared, anonymousPull: true })
    const [nobody, alice] = await Promise.all([undefined, ALICE].map((login) => grantOf(before, 'scope=repository:a:pull', login)))
    const now = await startGuarded(t, { ...shared, access: [{ repository: ['b'], users: ['anonymous'], actions: ['pull'] }] })
    assert.equal((await now.ask('GET', '/v2/a/tags/list', `Bearer ${nobody?.token}`)).status, 401)
    assert.equal((await now.ask('GET', '/v2/a/tags/list', `Bearer ${alice?.token}`)).status, 403)
    assert.equal((await now.ask('GET', '/v2/b/tags/list', `Bearer ${nobody?.token}`)).status, 404)
  })

  it('forgets a user who is gone, tokens and all', async (t) => {
    const guarded = await startGuarded(t, { anonymousPull: true })
    const { token } = await grantOf(guarded, 'scope=repository:a:pull,push', ALICE)
    assert.equal((await guarded.ask('POST', '/v2/a/blobs/uploads/', `Bearer ${token}`)).status, 202)
    await writeFile(guarded.htpasswd, entry('bob', 'builder'))
    await new Promise((resolve) => setTimeout(resolve, 1100))
    assert.equal((await guarded.ask('POST', '/v2/a/blobs/uploads/', `Bearer ${token}`)).status, 401)
    assert.equal((await guarded.ask('POST', '/v2/a/blobs/uploads/', ALICE)).status, 401)
  })

  it('tells its address as the client sees it, or as it was configured', async (t) => {
    const guarded = await startGuarded(t, { anonymousPull: true })
    const answer = await talk(guarded.port, 'GET /v2/ HTTP/1.1\r\nHost: disco.example:99\r\nConnection: close\r\n\r\n')
    assert.match(answer, /realm="http:\/\/disco\.example:99\/auth\/token"/)
    const named = await startGuarded(t, { anonymousPull: true, externalHost: 'https://registry.example', httpPrefix: '/below/' })
    assert.equal(challengeOf(await named.ask('GET', '/v2/'))['realm'], 'https://registry.example/below/auth/token')
  })
})

describe('a registry with rules', () => {
  const access = [
    { repository: ['team/**'], users: ['alice'], actions: ['pull', 'push'] },
    { repository: ['team/app'], users: ['bob'], actions: ['pull'] },
  ]

  it('denies to who is known what he may not, and asks who is not known', async (t) => {
    const guarded = await startGuarded(t, { access })
    const bob = basic('bob', 'builder')
    await guarded.ask('POST', `/v2/team/app/blobs/uploads/?digest=${DIGEST}`, ALICE, LAYER)
    assert.equal((await guarded.ask('GET', `/v2/team/app/blobs/${DIGEST}`, bob)).status, 200)
    assert.equal(await codeOf(await guarded.ask('POST', '/v2/team/app/blobs/uploads/', bob)), '403 DENIED')
    assert.equal(await codeOf(await guarded.ask('DELETE', `/v2/team/app/blobs/${DIGEST}`, ALICE)), '403 DENIED')
    assert.equal(await codeOf(await guarded.ask('GET', '/v2/_catalog', ALICE)), '403 DENIED')
    assert.equal((await guarded.ask('GET', `/v2/team/app/blobs/${DIGEST}`)).status, 401)
    assert.equal((await guarded.ask('GET', '/v2/', bob)).status, 200)
  })

  it('mounts only what the client may pull; else it is an ordinary upload', async (t) => {
    const guarded = await startGuarded(t, { access: [...access, { repository: ['bob/*'], users: ['bob'], actions: ['*'] }, { repository: ['free'], users: ['anonymous'], actions: ['pull'] }] })
    const bob = basic('bob', 'builder')
    await guarded.ask('POST', `/v2/team/secret/blobs/uploads/?digest=${DIGEST}`, ALICE, LAYER)
    const mount = `/v2/bob/x/blobs/uploads/?mount=${DIGEST}&from=team/secret`
    assert.equal((await guarded.ask('POST', mount, bob)).status, 202)
    assert.equal((await guarded.ask('POST', `/v2/bob/x/blobs/uploads/?mount=${DIGEST}`, bob)).status, 202, 'without a source')
    assert.equal(challengeOf(await guarded.ask('POST', mount))['scope'], 'repository:bob/x:pull,push repository:team/secret:pull')
    await guarded.ask('POST', `/v2/team/app/blobs/uploads/?digest=${DIGEST}`, ALICE, LAYER)
    assert.equal((await guarded.ask('POST', `/v2/bob/x/blobs/uploads/?mount=${DIGEST}&from=team/app`, bob)).status, 201)
  })

  it('grant of everything what there is', async (t) => {
    const guarded = await startGuarded(t, { access: [...access, { repository: ['free'], users: ['anonymous'], actions: ['pull'] }] })
    assert.equal((await grantOf(guarded, 'scope=repository:team/x:*,pull', ALICE)).scope, 'repository:team/x:pull,push')
    assert.equal((await grantOf(guarded, 'scope=repository:free:*&scope=repository:team/x:*&scope=registry:catalog:*')).scope, 'repository:free:pull')
  })

  it('alone are for everybody, and nobody is asked', async (t) => {
    const guarded = await startGuarded(t, { access: [{ repository: ['<cid>'], users: ['anonymous'], actions: ['pull'] }], authHtpasswdPath: undefined })
    assert.equal((await guarded.ask('GET', '/v2/')).status, 200)
    assert.equal(await codeOf(await guarded.ask('POST', '/v2/a/blobs/uploads/')), '403 DENIED')
    assert.equal((await guarded.ask('GET', '/v2/bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi/manifests/latest')).status, 404)
  })
})

describe('settings of access', () => {
  it('that name no file are an error that names it', async (t) => {
    await assert.rejects(startGuarded(t, { authHtpasswdPath: '/nowhere/htpasswd' }), /auth\.htpasswd\.path \/nowhere\/htpasswd/)
  })

  it('silly takes whatever comes, as Distribution does', async (t) => {
    const guarded = await startGuarded(t, { authHtpasswdPath: undefined, authSillyRealm: 'r', authSillyService: 's' })
    const refused = await guarded.ask('GET', '/v2/a/tags/list')
    assert.deepEqual(challengeOf(refused), { scheme: 'Bearer', realm: 'r', service: 's', scope: 'repository:a:pull' })
    assert.equal((await guarded.ask('GET', '/v2/', 'seriously, anything')).status, 200)
  })
})
