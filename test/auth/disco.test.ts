import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { pino } from 'pino'
import { createDisco, type Config } from '../../src/disco.ts'
import { basic, entry, scratch } from './harness.ts'

const CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'
const ALICE = basic('alice', 'wonderland')

interface Running {
  readonly url: string
  /** All that it has logged, debug included. */
  log(): string
}

async function start(t: TestContext, config: Partial<Config> = {}): Promise<Running> {
  const data = await scratch(t)
  const authHtpasswdPath = join(data, 'htpasswd')
  await writeFile(authHtpasswdPath, entry('alice', 'wonderland'))
  let text = ''
  const log = pino({ level: 'debug' }, { write: (line: string) => void (text += line) })
  const place = { data, host: '127.0.0.1', port: 0, network: 'private', listen: ['/ip4/127.0.0.1/tcp/0'] } as const
  const disco = await createDisco({ ...place, authHtpasswdPath, authHtpasswdRealm: 'test', cloneTimeout: 2000, log, ...config })
  t.after(() => disco.stop())
  return { url: await disco.start(), log: () => text }
}

interface Question {
  readonly method?: string
  readonly body?: string | Uint8Array<ArrayBuffer> | URLSearchParams
  readonly headers?: Readonly<Record<string, string>>
  readonly authorization?: string
}

function ask(url: string, path: string, options: Question = {}): Promise<Response> {
  const { authorization, headers, ...rest } = options
  return fetch(url + path, { ...rest, headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) } })
}

/** Pushes an image of one small blob and gives its CID. */
async function pushImage(url: string): Promise<string> {
  const blob = Buffer.from('{}')
  const digest = `sha256:${createHash('sha256').update(blob).digest('hex')}`
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: blob.length }
  await ask(url, `/v2/app/blobs/uploads/?digest=${digest}`, { method: 'POST', body: blob, authorization: ALICE })
  const body = JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [] })
  const put = await ask(url, '/v2/app/manifests/latest', { method: 'PUT', body, headers: { 'content-type': mediaType }, authorization: ALICE })
  assert.equal(put.status, 201, await put.text())
  const hex = put.headers.get('docker-content-digest')?.slice('sha256:'.length)
  const { tags } = (await (await ask(url, `/v2/${hex}/tags/list`, { authorization: ALICE })).json()) as { tags: string[] }
  return tags.find((tag) => tag.startsWith('bafy')) ?? assert.fail('no CID')
}

describe('a Disco with passwords', { timeout: 60_000 }, () => {
  it('searches for nothing on behalf of those who may not pull', async (t) => {
    let asked = 0
    const peer = createServer((_request, response) => {
      asked++
      response.writeHead(404).end()
    }).listen(0, '127.0.0.1')
    t.after(() => void peer.close())
    await new Promise((resolve) => peer.once('listening', resolve))
    const { url } = await start(t, { peer: [`http://127.0.0.1:${(peer.address() as AddressInfo).port}`] })
    for (const path of [`/v2/${CID}/manifests/latest`, `/v2/${CID}/tags/list`, `/v2/${CID}/blobs/sha256:${'0'.repeat(64)}`, `/ipfs/${CID}?format=raw`]) {
      for (const method of ['GET', 'HEAD']) {
        for (const authorization of [undefined, basic('alice', 'x')]) {
          const answer = await ask(url, path, { method, ...(authorization === undefined ? {} : { authorization }) })
          assert.equal(answer.status, 401, path)
        }
      }
    }
    assert.equal(asked, 0)
    assert.equal((await ask(url, `/v2/${CID}/manifests/latest`, { authorization: ALICE })).status, 404)
    assert.ok(asked > 0, 'who may pull has it searched for')
  })

  it('gives its blocks to another Disco that has a login, and to none that has not', async (t) => {
    const first = await start(t)
    const cid = await pushImage(first.url)
    const { host } = new URL(first.url)
    const second = await start(t, { peer: [`http://alice:wonderland@${host}`] })
    const pulled = await ask(second.url, `/v2/${cid}/manifests/latest`, { authorization: ALICE })
    assert.equal(pulled.status, 200)
    const stranger = await start(t, { peer: [`http://${host}`] })
    const refused = await ask(stranger.url, `/v2/${cid}/manifests/latest`, { authorization: ALICE })
    assert.equal(refused.status, 503)
    assert.match(stranger.log(), /status 401/)
    assert.equal((await ask(first.url, `/ipfs/${cid}?format=raw`)).status, 401)
    for (const { log } of [first, second, stranger]) assert.doesNotMatch(log(), /wonderland/)
  })

  it('gives its blocks to everybody where everybody may pull', async (t) => {
    const first = await start(t, { access: [{ repository: ['<cid>'], users: ['anonymous'], actions: ['pull'] }, { repository: ['**'], users: ['alice'], actions: ['*'] }] })
    const cid = await pushImage(first.url)
    const second = await start(t, { peer: [first.url], anonymousPull: true })
    assert.equal((await ask(second.url, `/v2/${cid}/manifests/latest`)).status, 200)
    assert.equal((await ask(first.url, '/v2/app/tags/list')).status, 401)
  })

  it('logs nothing secret, whatever it is told', async (t) => {
    const { url, log } = await start(t, { anonymousPull: true, httpSecret: 'the-shared-secret' })
    await pushImage(url)
    const granted = await ask(url, '/auth/token?scope=repository:app:pull', { authorization: ALICE })
    const { token } = (await granted.json()) as { token: string }
    await ask(url, '/v2/app/tags/list', { authorization: `Bearer ${token}` })
    await ask(url, '/v2/app/blobs/uploads/', { method: 'POST', authorization: `Bearer ${token}` })
    await ask(url, '/v2/', { authorization: `Bearer ${token}x` })
    await ask(url, '/v2/', { authorization: 'Bearer mistyped-token' })
    await ask(url, '/v2/', { authorization: basic('alice', 'mistyped-password') })
    await ask(url, '/v2/', { authorization: basic('password-in-the-wrong-place', 'x') })
    const form = new URLSearchParams({ grant_type: 'password', username: 'alice', password: 'mistyped-in-a-form' })
    await ask(url, '/auth/token', { method: 'POST', body: form })
    for (let i = 0; i < 9; i++) await ask(url, '/v2/', { authorization: basic('alice', `mistyped-${i}`) })
    await new Promise((resolve) => setTimeout(resolve, 50))
    const said = log()
    assert.match(said, /a login failed: wrong password/)
    assert.match(said, /"user":"alice"/)
    const secrets = ['wonderland', 'mistyped', 'wrong-place', 'the-shared-secret', '$2b$', token.split('.')[2] ?? '', ALICE.slice(6), 'Basic ', 'Bearer ey']
    for (const secret of secrets) assert.ok(!said.includes(secret), `${secret} in the log`)
  })
})
