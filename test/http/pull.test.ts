import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RegistryError } from '../../src/oci/errors.ts'
import type { Blob, Registry } from '../../src/registry/registry.ts'
import type { Logger } from '../../src/telemetry/logger.ts'
import { bytesOf, digestText, imageManifest, pushBlob, pushImage } from '../registry/sample.ts'
import { dial, errorCodes, startFace, talk, until } from './harness.ts'

const ABSENT = digestText(bytesOf('absent'))

describe('GET and HEAD', () => {
  it('answer the base of the API', async (t) => {
    const { base } = await startFace(t)
    for (const path of ['/v2/', '/v2']) {
      const response = await fetch(base + path)
      assert.equal(response.status, 200)
      assert.equal(response.headers.get('docker-distribution-api-version'), 'registry/2.0')
      assert.deepEqual(await response.json(), {})
    }
  })

  it('give manifests by tag and digest, in names of several segments', async (t) => {
    const { base, registry } = await startFace(t)
    const name = 'a/manifests/tags/blobs/uploads'
    const bytes = await pushImage(registry, name, 'list')
    for (const reference of ['list', digestText(bytes), encodeURIComponent(digestText(bytes))]) {
      for (const method of ['GET', 'HEAD']) {
        const response = await fetch(`${base}/v2/${name}/manifests/${reference}`, { method })
        assert.equal(response.status, 200)
        assert.equal(response.headers.get('docker-content-digest'), digestText(bytes))
        assert.equal(response.headers.get('content-type'), 'application/vnd.oci.image.manifest.v1+json')
        assert.equal(response.headers.get('content-length'), String(bytes.length))
        assert.equal(await response.text(), method === 'GET' ? bytes.toString() : '')
      }
    }
  })

  it('give blobs and their parts', async (t) => {
    const { base, registry } = await startFace(t)
    const digest = await pushBlob(registry, 'a/b', bytesOf('0123456789'))
    const get = (range?: string, headers: Record<string, string> = {}): Promise<Response> =>
      fetch(`${base}/v2/a/b/blobs/${digest}`, { headers: { ...(range === undefined ? {} : { range }), ...headers } })
    const whole = await get()
    assert.equal(whole.status, 200)
    assert.equal(whole.headers.get('docker-content-digest'), digest)
    assert.equal(whole.headers.get('accept-ranges'), 'bytes')
    assert.equal(await whole.text(), '0123456789')
    for (const [range, text, contentRange] of [
      ['bytes=2-4', '234', 'bytes 2-4/10'],
      ['bytes=7-', '789', 'bytes 7-9/10'],
      ['bytes=-2', '89', 'bytes 8-9/10'],
      ['bytes=8-100', '89', 'bytes 8-9/10'],
    ] as const) {
      const part = await get(range)
      assert.equal(part.status, 206)
      assert.equal(part.headers.get('content-range'), contentRange)
      assert.equal(await part.text(), text)
    }
    for (const range of ['bytes=0-1,3-4', 'nonsense']) assert.equal((await get(range)).status, 200)
    assert.equal((await get('bytes=9-2')).status, 416)
    const head = await fetch(`${base}/v2/a/b/blobs/${digest}`, { method: 'HEAD', headers: { range: 'bytes=2-4' } })
    assert.deepEqual([head.status, head.headers.get('content-length'), head.headers.get('content-range')], [200, '10', null])
    const beyond = await get('bytes=10-')
    assert.equal(beyond.status, 416)
    assert.equal(beyond.headers.get('content-range'), 'bytes */10')
    assert.deepEqual(await errorCodes(beyond), ['SIZE_INVALID'])
    assert.equal((await get('bytes=0-1', { 'if-range': `"${digest}"` })).status, 206)
    assert.equal((await get('bytes=0-1', { 'if-range': '"other"' })).status, 200)
  })

  it('give an empty blob', async (t) => {
    const { base, registry } = await startFace(t)
    const digest = await pushBlob(registry, 'a', bytesOf(''))
    const response = await fetch(`${base}/v2/a/blobs/${digest}`)
    assert.equal(response.headers.get('content-length'), '0')
    assert.equal(await response.text(), '')
  })

  it('keep every byte of a manifest, small or large', async (t) => {
    const { base, registry } = await startFace(t)
    await pushBlob(registry, 'a', bytesOf('config'))
    for (const length of [10, 100_000]) {
      const bytes = imageManifest(bytesOf('config'), [], { annotations: { note: 'größe 🐳 \u0000'.repeat(length) } })
      await registry.putManifest('a', { reference: 'v1', bytes })
      const response = await fetch(`${base}/v2/a/manifests/v1`)
      assert.deepEqual(Buffer.from(await response.arrayBuffer()), bytes)
    }
  })

  it('answer 304 to who has it already', async (t) => {
    const { base, registry } = await startFace(t)
    const manifest = await pushImage(registry, 'a', 'v1')
    const layer = digestText(bytesOf('layer of a'))
    for (const path of [`manifests/v1`, `blobs/${layer}`]) {
      const etag = (await fetch(`${base}/v2/a/${path}`)).headers.get('etag') ?? ''
      assert.match(etag, /^"sha256:[0-9a-f]{64}"$/)
      for (const header of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
        const response = await fetch(`${base}/v2/a/${path}`, { headers: { 'if-none-match': header } })
        assert.equal(response.status, 304)
        assert.equal(await response.text(), '')
      }
      assert.equal((await fetch(`${base}/v2/a/${path}`, { headers: { 'if-none-match': '"x"' } })).status, 200)
    }
    assert.equal((await fetch(`${base}/v2/a/manifests/${digestText(manifest)}`)).headers.get('cache-control'), 'max-age=31536000, immutable')
  })

  it('stream a blob of many chunks whole', async (t) => {
    const { base, registry } = await startFace(t)
    const bytes = Buffer.alloc(9 * 1024 * 1024 + 5, 'abcdefg')
    const digest = await pushBlob(registry, 'a', bytes)
    const response = await fetch(`${base}/v2/a/blobs/${digest}`)
    assert.equal(digestText(Buffer.from(await response.arrayBuffer())), digest)
  })
})

describe('lists', () => {
  it('link to their next page', async (t) => {
    const { base, registry } = await startFace(t)
    for (const tag of ['a', 'b', 'c']) await pushImage(registry, 'x/y', tag)
    await pushImage(registry, 'x', 'v1')
    const first = await fetch(`${base}/v2/x/y/tags/list?n=2`)
    assert.deepEqual(await first.json(), { name: 'x/y', tags: ['a', 'b'] })
    const link = first.headers.get('link') ?? ''
    assert.match(link, /^<\/v2\/x\/y\/tags\/list\?n=2&last=b>; rel="next"$/)
    const second = await fetch(base + link.slice(1, link.indexOf('>')))
    assert.deepEqual(await second.json(), { name: 'x/y', tags: ['c'] })
    assert.equal(second.headers.get('link'), null)
    assert.deepEqual(await (await fetch(`${base}/v2/x/y/tags/list?last=a`)).json(), { name: 'x/y', tags: ['b', 'c'] })
    const none = await fetch(`${base}/v2/x/y/tags/list?n=0`)
    assert.deepEqual(await none.json(), { name: 'x/y', tags: [] })
    assert.equal(none.headers.get('link'), null)
    const catalog = await fetch(`${base}/v2/_catalog?n=1`)
    assert.deepEqual(await catalog.json(), { repositories: ['x'] })
    assert.match(catalog.headers.get('link') ?? '', /_catalog\?n=1&last=x>/)
    assert.deepEqual(await (await fetch(`${base}/v2/_catalog`)).json(), { repositories: ['x', 'x/y'] })
    for (const n of ['-1', 'x', '1.5', '']) assert.deepEqual(await errorCodes(await fetch(`${base}/v2/_catalog?n=${n}`)), ['UNSUPPORTED'])
  })
})

describe('errors', () => {
  it('have the code and status of the specification', async (t) => {
    const { base, port, registry } = await startFace(t)
    const digest = await pushBlob(registry, 'a', bytesOf('x'))
    await pushImage(registry, 'a', 'v1')
    for (const [path, status, code] of [
      [`/v2/a/blobs/${ABSENT}`, 404, 'BLOB_UNKNOWN'],
      [`/v2/b/blobs/${digest}`, 404, 'NAME_UNKNOWN'],
      ['/v2/a/blobs/sha256:short', 400, 'DIGEST_INVALID'],
      ['/v2/a/manifests/v2', 404, 'MANIFEST_UNKNOWN'],
      ['/v2/a/manifests/sha256:short', 400, 'DIGEST_INVALID'],
      ['/v2/b/manifests/v1', 404, 'NAME_UNKNOWN'],
      ['/v2/b/tags/list', 404, 'NAME_UNKNOWN'],
      ['/v2/A/tags/list', 400, 'NAME_INVALID'],
      ['/v2/a%2F..%2Fb/manifests/v1', 400, 'NAME_INVALID'],
      ['/v2/a%00/manifests/v1', 400, 'NAME_INVALID'],
      ['/v2/a%/manifests/v1', 400, 'NAME_INVALID'],
      ['/v2/a/blobs/uploads/none', 404, 'BLOB_UPLOAD_UNKNOWN'],
      ['/v2/a/referrers/sha256:x', 400, 'DIGEST_INVALID'],
      ['/v2/A/referrers/sha256:x', 400, 'NAME_INVALID'],
      ['/v2/manifests/v1', 404, 'UNSUPPORTED'],
      ['/nothing', 404, 'UNSUPPORTED'],
    ] as const) {
      const response = await fetch(base + path)
      assert.equal(response.status, status, path)
      assert.equal(response.headers.get('content-type'), 'application/json')
      assert.deepEqual(await errorCodes(response), [code], path)
      const head = await fetch(base + path, { method: 'HEAD' })
      assert.equal(head.status, status, path)
      assert.equal(await head.text(), '')
    }
    // fetch would resolve these itself
    for (const path of ['/v2/a/../b/manifests/v1', '/v2/a/%2e%2e/b/tags/list', '/v2/../../blobs/sha256:x']) {
      assert.match(await talk(port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`), /^HTTP\/1.1 400 .*NAME_INVALID/s)
    }
  })

  it('name the methods that there are', async (t) => {
    const { base } = await startFace(t)
    for (const [method, path, allow] of [
      ['DELETE', '/v2/a/manifests/v1', 'GET, HEAD, PUT'],
      ['DELETE', `/v2/a/blobs/${ABSENT}`, 'GET, HEAD'],
      ['GET', '/v2/a/blobs/uploads/', 'POST'],
      ['POST', '/v2/', 'GET, HEAD'],
    ] as const) {
      const response = await fetch(base + path, { method })
      assert.equal(response.status, 405)
      assert.equal(response.headers.get('allow'), allow)
      assert.deepEqual(await errorCodes(response), ['UNSUPPORTED'])
    }
  })

  it('tell nothing of what is inside', async (t) => {
    const { base } = await startFace(t, () => ({ registry: { tags: () => Promise.reject(new Error('secret at /srv/data')) } as unknown as Registry }))
    const response = await fetch(`${base}/v2/a/tags/list`)
    assert.equal(response.status, 500)
    const text = await response.text()
    assert.match(text, /"UNKNOWN"/)
    assert.doesNotMatch(text, /secret|srv|\.ts/)
  })
})

function registryWith(blob: Blob): Registry {
  return { blob: async () => blob } as unknown as Registry
}

describe('a body that breaks off', () => {
  const digest = { algorithm: 'sha256', hex: ABSENT.slice(7) } as const

  it('never looks whole to the client', async (t) => {
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(50)
      throw new Error('disk')
    }
    const short = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(50)
    }
    for (const read of [failing, short]) {
      const { base } = await startFace(t, () => ({ registry: registryWith({ digest, size: 100, read }) }))
      const response = await fetch(`${base}/v2/a/blobs/${ABSENT}`)
      await assert.rejects(response.arrayBuffer())
    }
  })

  it('is told as the error that it is when nothing of it has gone out', async (t) => {
    const next = (): Promise<never> => Promise.reject(new RegistryError('MANIFEST_UNVERIFIED'))
    const read: Blob['read'] = () => ({ [Symbol.asyncIterator]: () => ({ next }) })
    const { base } = await startFace(t, () => ({ registry: registryWith({ digest, size: 100, read }) }))
    const response = await fetch(`${base}/v2/a/blobs/${ABSENT}`)
    assert.equal(response.status, 502)
    assert.equal(response.headers.get('docker-content-digest'), null)
    assert.deepEqual(await errorCodes(response), ['MANIFEST_UNVERIFIED'])
    assert.equal((await fetch(`${base}/v2/a/blobs/${ABSENT}`, { method: 'HEAD' })).status, 200)
  })

  it('is no failure when it is the client that goes, whatever the store says then', async (t) => {
    const lines: [string, Record<string, unknown>][] = []
    const log = (level: string) => (fields: Record<string, unknown>): void => void lines.push([level, fields])
    const logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error'), child: () => logger } as unknown as Logger
    const read: Blob['read'] = async function* (options) {
      yield Buffer.alloc(50)
      await new Promise((resolve) => options?.signal?.addEventListener('abort', resolve))
      throw Object.assign(new Error('canceled'), { code: 'ECANCELED' })
    }
    const { port } = await startFace(t, () => ({ log: logger, registry: registryWith({ digest, size: 100, read }) }))
    const socket = await dial(port)
    socket.write(`GET /v2/a/blobs/${ABSENT} HTTP/1.1\r\nHost: x\r\n\r\n`)
    socket.once('data', () => socket.destroy())
    await until(() => lines.length > 0)
    assert.deepEqual(lines.map(([level, { status, err }]) => ({ level, status, err })), [{ level: 'info', status: 499, err: undefined }])
  })

  it('is given up when the client takes nothing of it for long', async (t) => {
    let closed = false
    const read: Blob['read'] = async function* () {
      try {
        for (const chunk = Buffer.alloc(1024 * 1024); ; ) yield chunk
      } finally {
        closed = true
      }
    }
    const { port } = await startFace(t, () => ({ pieceTimeout: 100, registry: registryWith({ digest, size: 1024 ** 4, read }) }))
    const socket = await dial(port)
    socket.write(`GET /v2/a/blobs/${ABSENT} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await until(() => closed)
    socket.destroy()
  })

  it('is read no further when the client goes, nor faster than it reads', async (t) => {
    let given = 0
    let aborted = false
    let closed = false
    const read: Blob['read'] = async function* (options) {
      options?.signal?.addEventListener('abort', () => (aborted = true))
      try {
        for (const chunk = Buffer.alloc(1024 * 1024); given < 1024; given++) yield chunk
      } finally {
        closed = true
      }
    }
    const { port } = await startFace(t, () => ({ registry: registryWith({ digest, size: 1024 * 1024 * 1024, read }) }))
    const socket = await dial(port)
    socket.write(`GET /v2/a/blobs/${ABSENT} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await until(() => given > 0)
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.ok(given < 64, `${given} MiB for a client that reads nothing`)
    socket.destroy()
    await until(() => aborted && closed)
  })
})
