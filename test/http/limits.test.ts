import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { IncomingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { ANYONE } from '../../src/auth/authorizer.ts'
import { OPTIONS } from '../../src/config/options.ts'
import { ClientLimits, type ClientLimitsOptions } from '../../src/http/client-limits.ts'
import { networkOf } from '../../src/auth/network-of.ts'
import { Networks } from '../../src/http/networks.ts'
import { Rate } from '../../src/http/rate.ts'
import type { HttpServerOptions } from '../../src/http/server.ts'
import { RegistryCore } from '../../src/registry/core.ts'
import type { Registry } from '../../src/registry/registry.ts'
import { bytesOf, digestText } from '../registry/sample.ts'
import { errorCodes, from, startFace, talk, until, type Face } from './harness.ts'

const CIDS = ['one', 'two', 'three'].map((text) => CID.createV1(0x70, Digest.create(0x12, createHash('sha256').update(text).digest())).toString())

/** A server whose tags and manifests wait until they may go on. */
async function startWaiting(context: TestContext, limits: ClientLimitsOptions, more: Partial<HttpServerOptions> = {}): Promise<Face & { release(): void; waiting(): number }> {
  const gate = Promise.withResolvers<void>()
  let waiting = 0
  const wait = async (): Promise<unknown> => {
    waiting++
    await gate.promise
    return { entries: [], more: false }
  }
  const face = await startFace(context, () => ({
    limits: new ClientLimits(limits),
    registry: { tags: wait, appendUpload: wait } as unknown as Registry,
    ...more,
  }))
  return { ...face, release: () => gate.resolve(), waiting: () => waiting }
}

describe('limits of a client', () => {
  it('are on requests at once; other clients and health are not touched', async (t) => {
    const face = await startWaiting(t, { requests: 2 }, { health: new Map([['/healthz', async () => ({ status: 200, body: 'ok' })]]) })
    const held = [from('127.0.0.1', face, '/v2/a/tags/list'), from('127.0.0.1', face, '/v2/a/tags/list')]
    await until(() => face.waiting() === 2)
    const refused = await fetch(`${face.base}/v2/`)
    assert.equal(refused.status, 429)
    assert.equal(refused.headers.get('retry-after'), '1')
    assert.deepEqual(await errorCodes(refused), ['TOOMANYREQUESTS'])
    assert.equal((await from('127.0.0.2', face, '/v2/')).status, 200)
    assert.equal((await from('127.0.0.1', face, '/healthz')).status, 200)
    face.release()
    await Promise.all(held)
    assert.equal((await fetch(`${face.base}/v2/`)).status, 200)
  })

  it('are on tokens as on all else', async (t) => {
    const face = await startWaiting(t, { rate: 1, burst: 2 }, { services: new Map([['/auth/token', async () => ({ status: 200, body: 'token' })]]) })
    const statuses = [1, 2, 3].map(async () => (await from('127.0.0.1', face, '/auth/token')).status)
    assert.deepEqual((await Promise.all(statuses)).toSorted(), [200, 200, 429])
  })

  it('are on users, wherever they come from', async (t) => {
    const face = await startWaiting(t, { requests: 1 }, {
      authorizer: { authorize: async ({ authorization }) => ({ user: authorization, mayPull: () => true }) },
    })
    const held = from('127.0.0.1', face, '/v2/a/tags/list', { authorization: 'ann' })
    await until(() => face.waiting() === 1)
    assert.equal((await from('127.0.0.2', face, '/v2/', { authorization: 'ann' })).status, 429)
    assert.equal((await from('127.0.0.2', face, '/v2/', { authorization: 'bob' })).status, 200)
    face.release()
    await held
  })

  it('are on uploads at once', async (t) => {
    const face = await startWaiting(t, { uploads: 1 })
    const patch = (): Promise<Response> => fetch(`${face.base}/v2/a/blobs/uploads/x`, { method: 'PATCH', body: 'abc' })
    const held = patch()
    await until(() => face.waiting() === 1)
    assert.equal((await patch()).status, 429)
    assert.equal((await fetch(`${face.base}/v2/`)).status, 200)
    face.release()
    await held
  })

  it('are on different images that may have to be looked for', async (t) => {
    const face = await startWaiting(t, { clones: 2 })
    const [one, two, three] = CIDS.map((cid) => () => from('127.0.0.1', face, `/v2/${cid}/tags/list`))
    assert.ok(one && two && three)
    const held = [one(), two(), one(), one()]
    await until(() => face.waiting() === 4)
    assert.equal((await three()).status, 429)
    assert.equal((await from('127.0.0.2', face, `/v2/${CIDS[2]}/manifests/x`)).status, 500)
    face.release()
    await Promise.all(held)
    assert.equal((await three()).status, 200)
  })

  it('are on requests a second', async (t) => {
    const face = await startFace(t, () => ({ limits: new ClientLimits({ rate: 0.5, burst: 3 }) }))
    const statuses: (number | undefined)[] = []
    for (let count = 0; count < 4; count++) statuses.push((await from('127.0.0.1', face, '/v2/')).status)
    assert.deepEqual(statuses, [200, 200, 200, 429])
    assert.equal((await from('127.0.0.1', face, '/v2/')).retryAfter, '2')
    assert.equal((await from('127.0.0.2', face, '/v2/')).status, 200)
  })
})

describe('a rate', () => {
  it('fills with time, up to its burst', () => {
    let now = 0
    const rate = new Rate({ rate: 10, burst: 2, now: () => now })
    assert.deepEqual([rate.take('a'), rate.take('a'), rate.take('a')], [undefined, undefined, 100])
    now = 100
    assert.deepEqual([rate.take('a'), rate.take('a')], [undefined, 100])
    now = 100_000
    assert.deepEqual([rate.take('a'), rate.take('a'), rate.take('a')], [undefined, undefined, 100])
  })

  it('forgets who has not come for the longest', () => {
    const rate = new Rate({ rate: 0.001, burst: 1, now: () => 0 })
    rate.take('first')
    for (let count = 0; count < 65_535; count++) rate.take(String(count))
    assert.notEqual(rate.take('first'), undefined)
    for (let count = 0; count < 65_536; count++) rate.take(`b${count}`)
    assert.equal(rate.take('first'), undefined)
  })
})

describe('networks', () => {
  it('count all of a /64 as one', () => {
    assert.equal(networkOf('192.0.2.1'), '192.0.2.1')
    assert.equal(networkOf('2001:db8::1'), networkOf('2001:0db8:0:0:ffff:1:2:3'))
    assert.notEqual(networkOf('2001:db8::1'), networkOf('2001:db8:0:1::1'))
    assert.equal(networkOf('::1'), '0:0:0:0::/64')
  })
})

describe('sizes', () => {
  it('of a blob: announced, or as they come', async (t) => {
    const face = await startFace(t, () => ({ blobSize: 10 }))
    const announced = await fetch(`${face.base}/v2/a/blobs/uploads/?digest=${digestText(bytesOf('x'.repeat(11)))}`, { method: 'POST', body: 'x'.repeat(11) })
    assert.deepEqual([announced.status, await errorCodes(announced)], [413, ['SIZE_INVALID']])
    assert.equal((await fetch(`${face.base}/v2/a/blobs/uploads/?digest=${digestText(bytesOf('x'.repeat(10)))}`, { method: 'POST', body: 'x'.repeat(10) })).status, 201)
    const core = new RegistryCore(face.store, { blobSize: 10 })
    const { id } = await core.startUpload('a')
    const part = async function* (): AsyncGenerator<Uint8Array> {
      yield bytesOf('xxxxxx')
    }
    await core.appendUpload('a', id, undefined, part())
    await assert.rejects(core.appendUpload('a', id, undefined, part()), { code: 'SIZE_INVALID', status: 413 })
  })

  it('of headers', async (t) => {
    const { port } = await startFace(t, () => ({ headerSize: 8_192 }))
    const ask = (size: number): Promise<string> => talk(port, `GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: ${'x'.repeat(size)}\r\n\r\n`)
    assert.match(await ask(8_000), /^HTTP\/1\.1 200/)
    assert.match(await ask(9_000), /^HTTP\/1\.1 431/)
  })
})

describe('proxies', () => {
  const seen: string[] = []
  const whoami = async (face: Face, headers: IncomingHttpHeaders): Promise<string> => {
    await from('127.0.0.1', face, '/v2/', headers)
    return seen.at(-1) ?? ''
  }
  const listening: HttpServerOptions['authorizer'] = { authorize: async (claim) => {
    seen.push(`${claim.address} ${claim.origin}`)
    return ANYONE
  } }

  it('are believed when they are trusted, and no others', async (t) => {
    const trusting = await startFace(t, () => ({ authorizer: listening, trustedProxies: new Networks(['127.0.0.0/8', '10.0.0.0/8']) }))
    const wary = await startFace(t, () => ({ authorizer: listening, trustedProxies: new Networks(['10.0.0.0/8']) }))
    const headers = { 'x-forwarded-for': '203.0.113.9, 198.51.100.7, 10.1.1.1', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'registry.example' }
    assert.equal(await whoami(trusting, headers), '198.51.100.7 https://registry.example')
    assert.equal(await whoami(wary, headers), `127.0.0.1 http://127.0.0.1:${wary.port}`)
    assert.equal(await whoami(trusting, { forwarded: 'for=203.0.113.9, for="[2001:db8::7]:4711";proto=https;host=r.example, for=10.0.0.1' }), '2001:db8::7 https://r.example')
    // Most proxies know one kind of header, and pass on what a client writes in the other.
    assert.equal(await whoami(trusting, { forwarded: 'for=192.0.2.1;proto=https;host=r.example', 'x-forwarded-for': '198.51.100.7' }), `127.0.0.1 http://127.0.0.1:${trusting.port}`)
    assert.equal(await whoami(trusting, { forwarded: 'for=198.51.100.7;proto=https', 'x-forwarded-for': '198.51.100.7' }), `198.51.100.7 https://127.0.0.1:${trusting.port}`)
    assert.equal(await whoami(trusting, { 'x-forwarded-for': 'nonsense', 'x-forwarded-proto': 'gopher', 'x-forwarded-host': 'a b"' }), `127.0.0.1 http://127.0.0.1:${trusting.port}`)
  })
})

describe('the page on operation', () => {
  it('has every limit', async () => {
    const page = await readFile(join(import.meta.dirname, '../../docs/operations.md'), 'utf8')
    const rows = page.match(/^\| `[^|]*\|/gm)?.join('') ?? ''
    assert.deepEqual(Object.keys(OPTIONS.limits.default).filter((name) => !rows.includes(`\`${name.toLowerCase()}\``)), [])
  })
})
