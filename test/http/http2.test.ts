import assert from 'node:assert/strict'
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2'
import { describe, it, type TestContext } from 'node:test'
import type { HttpServerOptions } from '../../src/http/server.ts'
import { RegistryError } from '../../src/oci/errors.ts'
import type { RegistryCore } from '../../src/registry/core.ts'
import type { Registry } from '../../src/registry/registry.ts'
import { bytesOf, digestText, pushBlob, pushImage } from '../registry/sample.ts'
import { dial, startFace, talk, until, type Face } from './harness.ts'
import { frame, PREFACE, requestHeaders } from './http2-frames.ts'

interface Http2Face extends Face {
  readonly session: ClientHttp2Session
}

/** A server that speaks HTTP/2 without TLS, and a connection to it. */
async function startHttp2(context: TestContext, parts: (registry: RegistryCore) => Partial<HttpServerOptions> = () => ({})): Promise<Http2Face> {
  const face = await startFace(context, (registry) => ({ h2c: true, ...parts(registry) }))
  const session = connect(face.base)
  session.on('error', () => {})
  context.after(() => session.destroy())
  return { ...face, session }
}

interface Answer {
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** How the stream ended. */
  readonly code: number | undefined
}

function open(session: ClientHttp2Session, method: string, path: string, headers: OutgoingHttpHeaders = {}): ClientHttp2Stream {
  return session.request({ ':method': method, ':path': path, ...headers }, { endStream: false })
}

async function answerTo(stream: ClientHttp2Stream): Promise<Answer> {
  const [headers, body] = await Promise.all([
    new Promise<IncomingHttpHeaders & { ':status'?: number }>((resolve, reject) => stream.once('response', resolve).once('error', reject)),
    bodyOf(stream),
  ])
  return { status: headers[':status'], headers, body, code: stream.rstCode }
}

/** Node's own readers take offence at a stream that ends while its client still sends. */
function bodyOf(stream: ClientHttp2Stream): Promise<string> {
  return new Promise((resolve, reject) => {
    let body = ''
    stream.setEncoding('utf8').on('data', (part: string) => (body += part)).once('end', () => resolve(body)).once('error', reject)
  })
}

function ask(session: ClientHttp2Session, method: string, path: string, body = '', headers: OutgoingHttpHeaders = {}): Promise<Answer> {
  const stream = open(session, method, path, headers)
  stream.end(body)
  return answerTo(stream)
}

describe('HTTP/2', () => {
  it('gives what HTTP/1 gives, on the same port', async (t) => {
    const { session, registry, base, port } = await startHttp2(t)
    const manifest = await pushImage(registry, 'a/b', 'v1')
    const blob = await pushBlob(registry, 'a/b', Buffer.alloc(3_000_000, 'x'))
    const path = '/v2/a/b/manifests/v1'
    const { status, headers, body } = await ask(session, 'GET', path)
    assert.equal(status, 200)
    assert.equal(body, manifest.toString())
    const byHttp1 = Object.fromEntries((await fetch(base + path)).headers)
    assert.deepEqual(Object.keys(headers).filter((name) => byHttp1[name] === undefined), [':status'])
    const [head, layer, part] = await Promise.all([
      ask(session, 'HEAD', path),
      ask(session, 'GET', `/v2/a/b/blobs/${blob}`),
      ask(session, 'GET', `/v2/a/b/blobs/${blob}`, '', { range: 'bytes=5-7' }),
    ])
    assert.deepEqual([head.body, head.headers['content-length']], ['', String(manifest.length)])
    assert.equal(layer.body.length, 3_000_000)
    assert.deepEqual([part.status, part.body], [206, 'xxx'])
    assert.match(await talk(port, 'GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 200/)
  })

  it('takes uploads, with and without their length, and after 100 Continue', async (t) => {
    const { session } = await startHttp2(t)
    const content = 'y'.repeat(2_500_000)
    const digest = digestText(bytesOf(content))
    for (const extra of [{}, { 'content-length': String(content.length) }, { expect: '100-continue' }]) {
      const { headers } = await ask(session, 'POST', '/v2/a/blobs/uploads/')
      const stream = open(session, 'PUT', `${headers.location}?digest=${digest}`, extra)
      if ('expect' in extra) await new Promise<void>((resolve) => stream.once('continue', resolve))
      stream.end(content)
      const { status, body } = await answerTo(stream)
      assert.equal(status, 201, body)
      assert.equal((await ask(session, 'GET', `/v2/a/blobs/${digest}`)).body, content)
    }
  })

  it('takes no part of a body for the whole, however the client ends it', async (t) => {
    const whole: unknown[] = []
    const failed: unknown[] = []
    const { registry, port } = await startHttp2(t, (core) => ({
      registry: Object.assign(Object.create(core) as Registry, {
        putManifest: async (...args: unknown[]) => void whole.push(args),
        appendUpload: async (_name: string, _id: string, _offset: number, source: AsyncIterable<Uint8Array>) => {
          try {
            for await (const chunk of source) void chunk
            whole.push('upload')
          } catch (error) {
            failed.push(error)
            throw error
          }
        },
        upload: core.upload.bind(core),
      }),
    }))
    const { id } = await registry.startUpload('a')
    for (const code of [constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_CANCEL]) {
      for (const [method, path] of [['PUT', '/v2/a/manifests/v1'], ['PATCH', `/v2/a/blobs/uploads/${id}`]] as const) {
        const socket = await dial(port)
        socket.write(Buffer.concat([PREFACE, frame(0x4, 0, 0), frame(0x1, 0x4, 1, requestHeaders(method, path)), frame(0x0, 0, 1, bytesOf('{"schemaVersion":2}'))]))
        await new Promise((resolve) => setTimeout(resolve, 30))
        socket.write(frame(0x3, 0, 1, Buffer.from([0, 0, 0, code])))
        await new Promise((resolve) => setTimeout(resolve, 30))
        socket.destroy()
      }
    }
    await until(() => failed.length === 2)
    assert.deepEqual(whole, [])
  })

  it('tells handlers of clients that go away', async (t) => {
    const gone: AbortSignal[] = []
    const { session } = await startHttp2(t, () => ({
      registry: { tags: async (_name: string, { signal }: { signal: AbortSignal }) => {
        gone.push(signal)
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        throw signal.reason
      } } as unknown as Registry,
    }))
    const stream = open(session, 'GET', '/v2/a/tags/list')
    stream.on('error', () => {})
    await until(() => gone.length === 1)
    stream.close(constants.NGHTTP2_CANCEL)
    await until(() => gone[0]?.aborted === true)
  })

  it('reads no more than its client takes', async (t) => {
    let given = 0
    const { session } = await startHttp2(t, () => ({
      gateway: async () => ({ status: 200, body: { length: undefined, async *read() {
        for (; given < 1_000; given++) yield new Uint8Array(65_536)
      } } }),
    }))
    const stream = open(session, 'GET', '/ipfs/x')
    stream.end()
    await new Promise((resolve) => stream.once('response', resolve))
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.ok(given < 20, `${given} pieces`)
    stream.resume()
    await until(() => given === 1_000)
  })

  it('answers before a body that it does not want, and ends that without error', async (t) => {
    const { session } = await startHttp2(t, () => ({
      authorizer: { authorize: async () => {
        throw new RegistryError('DENIED')
      } },
    }))
    const stream = open(session, 'PUT', '/v2/a/manifests/v1')
    stream.write(Buffer.alloc(500_000))
    const { status, body } = await answerTo(stream)
    assert.equal(status, 403)
    assert.match(body, /DENIED/)
    await until(() => stream.closed)
    assert.equal(stream.rstCode, constants.NGHTTP2_NO_ERROR)
    assert.equal((await ask(session, 'GET', '/ipfs/x')).status, 404, 'the connection goes on')
  })

  it('gives up on a body of which nothing comes', async (t) => {
    const { session } = await startHttp2(t, () => ({ bodyTimeout: 50 }))
    const stream = open(session, 'PUT', '/v2/a/manifests/v1')
    stream.write('{')
    const { status, headers } = await answerTo(stream)
    assert.equal(status, 408)
    assert.equal(headers.connection, undefined)
  })

  it('ends a stream whose client does not read', async (t) => {
    const { session, registry } = await startHttp2(t, () => ({ pieceTimeout: 50 }))
    const blob = await pushBlob(registry, 'a', Buffer.alloc(3_000_000))
    const stream = open(session, 'GET', `/v2/a/blobs/${blob}`)
    stream.on('error', () => {})
    stream.end()
    await new Promise((resolve) => stream.once('close', resolve))
    assert.notEqual(stream.rstCode, constants.NGHTTP2_NO_ERROR)
  })

  it('allows a bounded number of requests at once', async (t) => {
    const { session } = await startHttp2(t)
    await ask(session, 'GET', '/v2/')
    assert.equal(session.remoteSettings.maxConcurrentStreams, 128)
    assert.equal(session.remoteSettings.initialWindowSize, 1024 * 1024)
  })

  it('ends a connection that takes back its requests by the hundred', async (t) => {
    let begun = 0
    const { session } = await startHttp2(t, () => ({ gateway: async () => ({ status: 200, body: String(begun++) }) }))
    const closed = new Promise((resolve) => session.once('close', resolve))
    const flood = setInterval(() => {
      for (let count = 0; count < 50 && !session.destroyed; count++) {
        const stream = session.request({ ':path': '/ipfs/x' })
        stream.on('error', () => {})
        stream.close(constants.NGHTTP2_CANCEL)
      }
    }, 1)
    await closed
    clearInterval(flood)
    assert.ok(begun < 2_000, `${begun} requests`)
  })

  it('ends a connection without requests, though it pings', async (t) => {
    const { session } = await startHttp2(t, () => ({ keepAliveTimeout: 100 }))
    await ask(session, 'GET', '/v2/')
    const ping = setInterval(() => session.destroyed || session.ping(() => {}), 10)
    await new Promise((resolve) => session.once('close', resolve))
    clearInterval(ping)
  })

  it('lets the requests of a connection finish when it stops', async (t) => {
    const gate = Promise.withResolvers<void>()
    const { session, server } = await startHttp2(t, () => ({
      gateway: async () => {
        await gate.promise
        return { status: 200, body: 'late' }
      },
    }))
    const late = ask(session, 'GET', '/ipfs/x')
    await new Promise((resolve) => setTimeout(resolve, 30))
    const stopped = server.stop(5_000)
    setTimeout(() => gate.resolve(), 50)
    assert.equal((await late).body, 'late')
    await stopped
  })

  it('drops a connection that says nothing', async (t) => {
    const { port } = await startHttp2(t, () => ({ headersTimeout: 50 }))
    const silent = await dial(port)
    silent.resume()
    await new Promise((resolve) => silent.once('close', resolve))
  })
})
