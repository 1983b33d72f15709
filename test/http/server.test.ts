import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Prefix } from '../../src/http/prefix.ts'
import { RegistryError } from '../../src/oci/errors.ts'
import type { Registry } from '../../src/registry/registry.ts'
import { pushImage } from '../registry/sample.ts'
import { dial, startFace, talk } from './harness.ts'

describe('the server', () => {
  it('gives /ipfs/ to the gateway, and maps what it throws', async (t) => {
    const { base } = await startFace(t, () => ({
      gateway: async (request) => {
        if (request.url === '/ipfs/bad') throw new Error('inside')
        return { status: 200, body: 'block' }
      },
    }))
    assert.equal(await (await fetch(`${base}/ipfs/x`)).text(), 'block')
    assert.equal((await fetch(`${base}/ipfs/bad`)).status, 500)
    assert.equal((await fetch(`${base}/v2/`)).status, 200)
  })

  it('begins one request of a connection after the other, and takes no more than a few ahead', async (t) => {
    let underWay = 0
    let most = 0
    let answered = 0
    const { port } = await startFace(t, () => ({
      gateway: async () => {
        most = Math.max(most, ++underWay)
        await new Promise((resolve) => setTimeout(resolve, 2))
        underWay--
        return { status: 200, body: String(answered++) }
      },
    }))
    const request = 'GET /ipfs/x HTTP/1.1\r\nHost: x\r\n\r\n'
    const answers = await talk(port, request.repeat(20), request.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))
    assert.deepEqual(answers.match(/(?<=\r\n\r\n)\d+/g), Array.from({ length: 21 }, (_, index) => String(index)))
    assert.ok(most <= 2, `${most} at once`)
    await talk(port, request.repeat(1_000))
    assert.ok(answered < 100, `${answered} answers`)
  })

  it('has what only another process can answer answered there', async (t) => {
    const { base } = await startFace(t, () => ({
      elsewhere: async ({ name }) => (name === 'mine' ? { status: 200, body: 'taken' } : undefined),
    }))
    assert.equal(await (await fetch(`${base}/v2/mine/tags/list`)).text(), 'taken')
    assert.equal((await fetch(`${base}/v2/other/tags/list`)).status, 404)
  })

  it('asks whether a request may, before anything else happens', async (t) => {
    const asked: unknown[] = []
    const { base } = await startFace(t, () => ({
      authorizer: {
        authorize: async (_claim, scopes) => {
          asked.push(scopes)
          throw new RegistryError('UNAUTHORIZED', undefined, { headers: { 'WWW-Authenticate': 'Basic realm="x"' } })
        },
      },
      elsewhere: () => assert.fail('somebody was asked'),
      gateway: () => assert.fail('a block was given'),
    }))
    for (const [method, path, scopes] of [
      ['GET', '/v2/', []],
      ['GET', '/v2/_catalog', [{ type: 'registry', name: 'catalog', actions: ['*'] }]],
      ['GET', '/v2/a/b/manifests/latest', [{ type: 'repository', name: 'a/b', actions: ['pull'] }]],
      ['PUT', '/v2/a/manifests/latest', [{ type: 'repository', name: 'a', actions: ['pull', 'push'] }]],
      ['POST', '/v2/a/blobs/uploads/?mount=x&from=b', [{ type: 'repository', name: 'a', actions: ['pull', 'push'] }, { type: 'repository', name: 'b', actions: ['pull'], optional: true }]],
      ['DELETE', '/v2/a/blobs/uploads/x', [{ type: 'repository', name: 'a', actions: ['pull', 'push'] }]],
      ['GET', '/ipfs/bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi?format=raw', [{ type: 'repository', name: 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi', actions: ['pull'] }]],
    ] as const) {
      const answer = await fetch(base + path, { method })
      assert.equal(answer.status, 401, path)
      assert.equal(answer.headers.get('www-authenticate'), 'Basic realm="x"')
      assert.deepEqual(asked.pop(), scopes)
    }
  })

  it('lets what is in flight finish when it stops, up to a bound', async (t) => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const begun = Promise.withResolvers<void>()
    let calls = 0
    const { base, port, server } = await startFace(t, () => ({
      registry: {
        tags: async () => {
          const gate = gates[calls++]
          if (calls === 2) begun.resolve()
          await gate?.promise
          return { entries: [], more: false }
        },
      } as unknown as Registry,
    }))
    const idle = await dial(port)
    const closed = new Promise((resolve) => idle.once('close', resolve))
    idle.resume()
    const inTime = fetch(`${base}/v2/a/tags/list`)
    const tooLate = fetch(`${base}/v2/a/tags/list`)
    const late = assert.rejects(tooLate)
    await begun.promise
    const stopped = server.stop(300)
    gates[0]?.resolve()
    assert.equal((await inTime).status, 200)
    await late
    await Promise.all([stopped, closed])
    await assert.rejects(fetch(`${base}/v2/`))
  })

  it('takes targets in absolute form', async (t) => {
    const { port } = await startFace(t, () => ({ gateway: async ({ url }) => ({ status: 200, body: `gateway ${url}` }) }))
    const ask = (target: string): Promise<string> => talk(port, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    assert.match(await ask('http://registry.example:5000/v2/'), /^HTTP\/1.1 200/)
    assert.match(await ask('http://registry.example/v2/_catalog?n=x'), /n is not a number/)
    assert.match(await ask('HTTPS://registry.example/ipfs/x?format=raw'), /gateway \/ipfs\/x\?format=raw$/)
    assert.match(await ask('http://registry.example?a'), /^HTTP\/1.1 404/)
  })

  it('refuses a transfer coding that it would have to take off', async (t) => {
    const { port } = await startFace(t)
    const push = (coding: string): Promise<string> =>
      talk(port, `PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: ${coding}\r\n\r\n2\r\n{}\r\n0\r\n\r\n`)
    assert.match(await push('gzip, chunked'), /^HTTP\/1.1 501 .*transfer coding gzip, chunked is not supported/s)
    assert.match(await push('Chunked'), /^HTTP\/1.1 400 .*MANIFEST_INVALID/s)
  })

  it('tells a client that speaks no HTTP', async (t) => {
    const { port } = await startFace(t)
    assert.match(await talk(port, 'nonsense\r\n\r\n'), /^HTTP\/1.1 400/)
  })

  it('drops a connection on which nothing moves', async (t) => {
    const { port } = await startFace(t, () => ({ idleTimeout: 50 }))
    await talk(port, 'PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello')
  })

  it('serves below a prefix, with locations to match', async (t) => {
    const { base, registry } = await startFace(t, () => ({ prefix: new Prefix('/some/registry/'), services: new Map([['/healthz', async () => ({ status: 200, body: 'ok' })]]) }))
    await pushImage(registry, 'a', 'one')
    await pushImage(registry, 'a', 'two')
    const below = `${base}/some/registry`
    assert.equal((await fetch(`${below}/v2/a/manifests/one`)).status, 200)
    for (const path of ['/v2/', '/v2/a/manifests/one', '/some/registryx/v2/', '/some']) assert.equal((await fetch(base + path)).status, 404, path)
    const begun = await fetch(`${below}/v2/a/blobs/uploads/`, { method: 'POST' })
    const location = begun.headers.get('location') ?? ''
    assert.match(location, /^\/some\/registry\/v2\/a\/blobs\/uploads\//)
    const misplaced = await fetch(base + location, { method: 'PATCH', body: 'x', headers: { 'Content-Range': '5-5' } })
    assert.deepEqual([misplaced.status, misplaced.headers.get('location')], [416, location])
    assert.match((await fetch(`${below}/v2/a/tags/list?n=1`)).headers.get('link') ?? '', /^<\/some\/registry\/v2\/a\/tags\/list\?/)
    for (const path of ['/healthz', '/some/registry/healthz']) assert.equal((await fetch(base + path)).status, 200)
  })

  it('adds headers to every answer, each once', async (t) => {
    const { base, registry } = await startFace(t, () => ({
      headers: { 'x-content-type-options': ['none'], 'X-Many': ['one', 'two'], 'content-type': ['text/plain'] },
    }))
    await pushImage(registry, 'a', 'v1')
    for (const [path, type] of [['/v2/a/manifests/v1', 'application/vnd.oci.image.manifest.v1+json'], ['/v2/b/manifests/v1', 'application/json']] as const) {
      const { headers } = await fetch(base + path)
      assert.deepEqual([headers.get('x-content-type-options'), headers.get('x-many'), headers.get('content-type')], ['none', 'one, two', type])
    }
  })
})
