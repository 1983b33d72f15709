import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { RegistryError } from '../../src/oci/errors.ts'
import type { RegistryCore } from '../../src/registry/core.ts'
import type { Registry } from '../../src/registry/registry.ts'
import { bytesOf, digestText, imageManifest, pushBlob } from '../registry/sample.ts'
import { dial, errorCodes, startFace, talk, until, type Face } from './harness.ts'

const ABSENT = digestText(bytesOf('absent'))

async function begin({ base }: Face, name = 'a/b'): Promise<string> {
  const response = await fetch(`${base}/v2/${name}/blobs/uploads/`, { method: 'POST' })
  assert.equal(response.status, 202)
  return response.headers.get('location') ?? assert.fail('no Location')
}

function patch({ base }: Face, location: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(base + location, { method: 'PATCH', body, headers })
}

async function rangeOf({ base }: Face, location: string): Promise<string | null> {
  const response = await fetch(base + location)
  assert.equal(response.status, 204)
  assert.equal(response.headers.get('location'), location)
  return response.headers.get('range')
}

async function stored({ base }: Face, name: string, text: string): Promise<void> {
  const response = await fetch(`${base}/v2/${name}/blobs/${digestText(bytesOf(text))}`)
  assert.equal(await response.text(), text)
}

describe('a blob is pushed', () => {
  it('by POST then PUT', async (t) => {
    const face = await startFace(t)
    const location = await begin(face)
    assert.match(location, /^\/v2\/a\/b\/blobs\/uploads\/[0-9a-f-]{36}$/)
    const digest = digestText(bytesOf('hello'))
    const response = await fetch(`${face.base}${location}?digest=${encodeURIComponent(digest)}`, { method: 'PUT', body: 'hello' })
    assert.equal(response.status, 201)
    assert.equal(response.headers.get('location'), `/v2/a/b/blobs/${digest}`)
    assert.equal(response.headers.get('docker-content-digest'), digest)
    await stored(face, 'a/b', 'hello')
  })

  it('by a single POST', async (t) => {
    const face = await startFace(t)
    const post = (digest: string): Promise<Response> => fetch(`${face.base}/v2/a/blobs/uploads/?digest=${digest}`, { method: 'POST', body: 'hello' })
    assert.equal((await post(digestText(bytesOf('hello')))).status, 201)
    await stored(face, 'a', 'hello')
    assert.deepEqual(await errorCodes(await post(ABSENT)), ['DIGEST_INVALID'])
    assert.deepEqual(await errorCodes(await post('sha256:x')), ['DIGEST_INVALID'])
    assert.deepEqual(await face.store.uploads.list(), [])
  })

  it('in chunks, with its state told in between', async (t) => {
    const face = await startFace(t)
    const location = await begin(face)
    assert.equal(await rangeOf(face, location), '0-0')
    const first = await patch(face, location, 'hello ', { 'content-range': '0-5' })
    assert.equal(first.status, 202)
    assert.equal(first.headers.get('range'), '0-5')
    assert.equal(first.headers.get('docker-upload-uuid'), location.split('/').at(-1))
    assert.equal(await rangeOf(face, location), '0-5')
    assert.equal((await patch(face, location, 'wor', { 'content-range': '6-8' })).status, 202)
    const digest = digestText(bytesOf('hello world'))
    const last = await fetch(`${face.base}${location}?digest=${digest}`, { method: 'PUT', body: 'ld', headers: { 'content-range': '9-10' } })
    assert.equal(last.status, 201)
    await stored(face, 'a/b', 'hello world')
  })

  it('in one stream of unknown length', async (t) => {
    const face = await startFace(t)
    const location = await begin(face)
    await talk(face.port, `PATCH ${location} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`, '5\r\nhello\r\n', '1\r\n!\r\n0\r\n\r\n')
    assert.equal((await fetch(`${face.base}${location}?digest=${digestText(bytesOf('hello!'))}`, { method: 'PUT' })).status, 201)
    await stored(face, 'a/b', 'hello!')
  })

  it('again after the connection broke', async (t) => {
    const face = await startFace(t)
    const location = await begin(face)
    const socket = await dial(face.port)
    socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhello`)
    await until(async () => (await rangeOf(face, location)) === '0-4')
    socket.destroy()
    await until(async () => (await patch(face, location, ' again', { 'content-range': '5-10' })).status === 202)
    assert.equal((await fetch(`${face.base}${location}?digest=${digestText(bytesOf('hello again'))}`, { method: 'PUT' })).status, 201)
    await stored(face, 'a/b', 'hello again')
  })

  it('by a mount', async (t) => {
    const face = await startFace(t)
    const digest = await pushBlob(face.registry, 'from/x', bytesOf('shared'))
    const mount = (query: string): Promise<Response> => fetch(`${face.base}/v2/to/blobs/uploads/?${query}`, { method: 'POST' })
    const response = await mount(`mount=${digest}&from=from/x`)
    assert.equal(response.status, 201)
    assert.equal(response.headers.get('location'), `/v2/to/blobs/${digest}`)
    await stored(face, 'to', 'shared')
    for (const query of [`mount=${ABSENT}&from=from/x`, `mount=${digest}&from=nowhere`]) assert.equal((await mount(query)).status, 202)
    assert.equal((await mount(`mount=${digest}`)).status, 201)
    assert.equal((await mount('mount=sha256:x&from=from/x')).status, 400)
  })

  it('until it is cancelled', async (t) => {
    const face = await startFace(t)
    const location = await begin(face)
    assert.equal((await fetch(face.base + location, { method: 'DELETE' })).status, 204)
    for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
      const response = await fetch(`${face.base}${location}?digest=${ABSENT}`, { method })
      assert.deepEqual([response.status, await errorCodes(response)], [404, ['BLOB_UPLOAD_UNKNOWN']])
    }
  })
})

describe('a push that is wrong', () => {
  it('says that its chunk is elsewhere', async (t) => {
    const face = await startFace(t)
    const location = await begin(face)
    await patch(face, location, 'hello', { 'content-range': '0-4' })
    for (const range of ['3-7', '6-10', '0-4']) {
      for (const [method, query] of [['PATCH', ''], ['PUT', `?digest=${ABSENT}`]] as const) {
        const response = await fetch(face.base + location + query, { method, body: 'xxxxx', headers: { 'content-range': range } })
        assert.equal(response.status, 416)
        assert.equal(response.headers.get('range'), '0-4')
        assert.equal(response.headers.get('location'), location)
        assert.deepEqual(await errorCodes(response), ['BLOB_UPLOAD_INVALID'])
      }
    }
    assert.equal(await rangeOf(face, location), '0-4')
  })

  it('says that its chunk has another length', async (t) => {
    const face = await startFace(t)
    const location = await begin(face)
    for (const [range, code] of [['0-9', 'SIZE_INVALID'], ['0-2', 'SIZE_INVALID'], ['x', 'BLOB_UPLOAD_INVALID'], ['4-0', 'BLOB_UPLOAD_INVALID'], ['bytes 0-4/5', 'BLOB_UPLOAD_INVALID']] as const) {
      const response = await patch(face, location, 'hello', { 'content-range': range })
      assert.deepEqual([response.status, await errorCodes(response)], [400, [code]], range)
    }
    assert.equal(await rangeOf(face, location), '0-0')
    const chunked = `PATCH ${location} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nContent-Range: 0-2\r\n\r\n5\r\nhello\r\n0\r\n\r\n`
    assert.match(await talk(face.port, chunked), /^HTTP\/1.1 400 .*SIZE_INVALID/s)
    assert.equal(await rangeOf(face, location), '0-0')
  })

  it('has no digest, or a malformed, or another one', async (t) => {
    const face = await startFace(t)
    for (const query of ['', '?digest=', '?digest=sha256:x', '?digest=md5:d41d8cd98f00b204e9800998ecf8427e', `?digest=${ABSENT}`]) {
      const location = await begin(face)
      const response = await fetch(face.base + location + query, { method: 'PUT', body: 'hello' })
      assert.deepEqual([response.status, await errorCodes(response)], [400, ['DIGEST_INVALID']], query)
    }
    assert.equal((await fetch(`${face.base}/v2/a/b/blobs/${ABSENT}`)).status, 404)
    assert.equal((await fetch(`${face.base}/v2/a/blobs/uploads/?digest-algorithm=md5`, { method: 'POST' })).status, 400)
  })

  it('is cut short, in a chunk or in a single POST', async (t) => {
    const face = await startFace(t)
    const digest = digestText(bytesOf('hello'))
    const single = await dial(face.port)
    single.write(`POST /v2/a/blobs/uploads/?digest=${digest} HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nhello`)
    await until(async () => ((await face.store.uploads.list())[0]?.size ?? 0) > 0)
    single.destroy()
    await until(async () => (await face.store.uploads.list()).length === 0)
    assert.equal((await fetch(`${face.base}/v2/a/blobs/${digest}`)).status, 404)
  })

  it('has a name that is none', async (t) => {
    const face = await startFace(t)
    for (const name of ['A', 'a..b', '-a', 'a%2f..%2fb']) {
      const response = await fetch(`${face.base}/v2/${name}/blobs/uploads/`, { method: 'POST' })
      assert.deepEqual([response.status, await errorCodes(response)], [400, ['NAME_INVALID']], name)
    }
    assert.deepEqual(await face.store.uploads.list(), [])
  })
})

describe('a manifest is pushed', () => {
  const put = ({ base }: Face, reference: string, body: string | Uint8Array<ArrayBuffer>, type?: string): Promise<Response> =>
    fetch(`${base}/v2/a/manifests/${reference}`, { method: 'PUT', body, headers: type === undefined ? {} : { 'content-type': type } })

  it('and told where it is', async (t) => {
    const face = await startFace(t)
    await pushBlob(face.registry, 'a', bytesOf('config'))
    const bytes = imageManifest(bytesOf('config'), [])
    const response = await put(face, 'v1', new Uint8Array(bytes), 'application/vnd.oci.image.manifest.v1+json; charset=utf-8')
    assert.equal(response.status, 201)
    assert.equal(response.headers.get('docker-content-digest'), digestText(bytes))
    const location = response.headers.get('location') ?? ''
    assert.equal(await (await fetch(face.base + location)).text(), bytes.toString())
  })

  it('in many packets, whole', async (t) => {
    const face = await startFace(t)
    await pushBlob(face.registry, 'a', bytesOf('config'))
    const bytes = imageManifest(bytesOf('config'), [], { annotations: { long: 'abcdefghij'.repeat(300_000) } })
    assert.equal((await put(face, digestText(bytes), new Uint8Array(bytes))).status, 201)
  })

  it('and told what the registry tells of it', async (t) => {
    const digest = { algorithm: 'sha256', hex: ABSENT.slice(7) } as const
    const face = await startFace(t, () => ({ registry: { putManifest: async () => ({ digest, subject: digest, cid: 'bafy' }) } as unknown as Registry }))
    const response = await put(face, 'v1', '{}')
    assert.equal(response.headers.get('oci-subject'), ABSENT)
    assert.equal(response.headers.get('disco-cid'), 'bafy')
  })

  it('and refused with the reason', async (t) => {
    const face = await startFace(t)
    const bytes = new Uint8Array(imageManifest(bytesOf('config'), [bytesOf('layer')]))
    for (const [reference, body, type, status, code] of [
      ['v1', bytes, undefined, 404, 'MANIFEST_BLOB_UNKNOWN'],
      ['v1', bytes, 'application/vnd.oci.image.index.v1+json', 400, 'MANIFEST_INVALID'],
      ['v1', 'no json', undefined, 400, 'MANIFEST_INVALID'],
      [ABSENT, bytes, undefined, 400, 'DIGEST_INVALID'],
      ['-', bytes, undefined, 400, 'MANIFEST_INVALID'],
      ['v1', new Uint8Array(4 * 1024 * 1024 + 1), undefined, 413, 'MANIFEST_INVALID'],
    ] as const) {
      const response = await put(face, reference, body, type)
      assert.deepEqual([response.status, await errorCodes(response)], [status, [code]])
    }
    assert.equal((await fetch(`${face.base}/v2/a/tags/list`)).status, 404)
  })
})

describe('a body that stalls', () => {
  it('ends its request; what came is kept, and its client can go on', async (t) => {
    const face = await startFace(t, () => ({ bodyTimeout: 100 }))
    const location = await begin(face)
    const answer = await talk(face.port, `PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello`)
    assert.match(answer, /^HTTP\/1.1 408 .*nothing of the body came/s)
    const again = await fetch(new URL(location, face.base), { method: 'PATCH', body: 'world' })
    assert.equal(again.headers.get('range'), '0-9')
  })

  it('is not one that goes on slowly', async (t) => {
    const face = await startFace(t, () => ({ bodyTimeout: 100 }))
    const location = await begin(face)
    const socket = await dial(face.port)
    const answer = text(socket)
    socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10\r\n\r\n`)
    for (const byte of 'helloworld') {
      await new Promise((resolve) => setTimeout(resolve, 40))
      socket.write(byte)
    }
    assert.match(await answer, /^HTTP\/1.1 202 /)
  })
})

describe('manifests that are on their way', () => {
  it('take no more memory than there is for all, and give it back', async (t) => {
    const face = await startFace(t)
    const size = 4 * 1024 * 1024
    const head = (extra: string): string => `PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\n${extra}\r\n\r\n`
    const sockets: Socket[] = []
    let refused = 0
    const push = async (address: string): Promise<void> => {
      const socket = await dial(face.port, address)
      sockets.push(socket)
      socket.once('data', (data) => {
        if (/^HTTP\/1.1 429 .*retry-after: 5.*TOOMANYREQUESTS/is.test(String(data))) refused++
      })
      socket.write(head(`Content-Length: ${size}`))
      socket.write(Buffer.alloc(size - 1, 32))
    }
    await Promise.all(Array.from({ length: 12 }, () => push('127.0.0.1')))
    // Of the 64 MiB one client has half.
    await until(() => refused === 4)
    await Promise.all(Array.from({ length: 12 }, (_, index) => push(`127.0.0.${2 + (index % 2)}`)))
    await until(() => refused === 8)
    assert.match(await talk(face.port, head('Connection: close\r\nContent-Length: 2'), '{}'), /MANIFEST_INVALID/)
    for (const socket of sockets) socket.destroy()
    await until(async () => /MANIFEST_INVALID/.test(await talk(face.port, head(`Connection: close\r\nContent-Length: ${size}`), Buffer.alloc(size, 32))))
  })
})

describe('a body that nobody wants', () => {
  const denying = (registry: RegistryCore): { registry: Registry } => ({
    registry: Object.assign(Object.create(registry) as Registry, {
      appendUpload: () => Promise.reject(new RegistryError('DENIED')),
      putManifest: () => Promise.reject(new RegistryError('DENIED')),
    }),
  })

  it('is not asked for when the client waits', async (t) => {
    const face = await startFace(t, denying)
    const answer = await talk(face.port, `PATCH /v2/a/blobs/uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`)
    assert.match(answer, /^HTTP\/1.1 403 .*DENIED/s)
    assert.doesNotMatch(answer, /100 Continue/)
  })

  it('is asked for when it is wanted', async (t) => {
    const face = await startFace(t)
    const location = await begin(face)
    const answer = await talk(face.port, `PATCH ${location} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello`)
    assert.match(answer, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 202/)
  })

  it('does not keep the answer from a client that sends first and reads later', async (t) => {
    const face = await startFace(t, denying)
    const body = Buffer.alloc(16 * 1024 * 1024)
    const answer = await talk(face.port, `PATCH /v2/a/blobs/uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`, body, 'GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    assert.match(answer, /^HTTP\/1.1 403 .*DENIED.*HTTP\/1.1 200/s)
  })

  it('does not keep the answer back when its reader fails in between', async (t) => {
    const failing = async (_name: string, _id: string, _offset: number | undefined, source: AsyncIterable<Uint8Array>): Promise<never> => {
      const reader = source[Symbol.asyncIterator]()
      await reader.next()
      void reader.next().catch(() => {})
      void reader.return?.()
      throw new RegistryError('UNAVAILABLE')
    }
    const face = await startFace(t, () => ({ registry: { appendUpload: failing } as unknown as Registry }))
    const socket = await dial(face.port)
    socket.write(`PATCH /v2/a/blobs/uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: ${16 * 1024 * 1024}\r\n\r\nfirst`)
    await new Promise((resolve) => setTimeout(resolve, 50))
    socket.write(Buffer.alloc(16 * 1024 * 1024 - 5))
    socket.write('GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    assert.match(await text(socket), /^HTTP\/1.1 503 .*UNAVAILABLE.*HTTP\/1.1 200/s)
  })

  it('is dropped with the connection when it does not end', async (t) => {
    const face = await startFace(t, denying)
    const socket = await dial(face.port)
    socket.write(`PATCH /v2/a/blobs/uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: ${1024 ** 4}\r\n\r\n`)
    socket.resume()
    const chunk = Buffer.alloc(1024 * 1024)
    let sent = 0
    const more = (error?: Error | null): void => void (!error && !socket.destroyed && sent < 1024 && ++sent && socket.write(chunk, more))
    more()
    await new Promise((resolve) => socket.once('close', resolve))
    assert.ok(sent < 256, `${sent} MiB`)
  })
})
