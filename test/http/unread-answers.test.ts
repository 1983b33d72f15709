import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { connect, type TLSSocket } from 'node:tls'
import { ClientLimits } from '../../src/http/client-limits.ts'
import type { HttpServerOptions } from '../../src/http/server.ts'
import { TlsFiles } from '../../src/http/tls-files.ts'
import { silentLogger } from '../../src/telemetry/create-logger.ts'
import { certify } from '../auth/certificates.ts'
import { dial, startFace, until } from './harness.ts'
import { frame, PREFACE, requestHeaders } from './http2-frames.ts'

/** That no stream is given room for an answer (RFC 9113 §6.5.2: SETTINGS_INITIAL_WINDOW_SIZE). */
const NO_WINDOW = Buffer.from([0, 4, 0, 0, 0, 0])
const END_STREAM_AND_HEADERS = 0x5
const CANCEL = 8
const MIB = 1024 * 1024

interface Stalled {
  readonly port: number
  /** Requests that are counted as under way. */
  readonly underWay: () => number
}

/** Answers `/ipfs/stream` with bytes for ever, and `/ipfs/whole` with more than sockets hold. */
async function start(t: TestContext, parts: Partial<HttpServerOptions> = {}): Promise<Stalled> {
  let underWay = 0
  const limits = new ClientLimits({})
  limits.enter = () => {
    underWay++
    return () => underWay--
  }
  const { port } = await startFace(t, () => ({
    h2c: true,
    limits,
    gateway: async ({ url = '' }) => (url.endsWith('whole') ? { status: 200, body: Buffer.alloc(20_000_000) } : { status: 200, body: { length: undefined, async *read() {
      for (;;) yield Buffer.alloc(65_536)
    } } }),
    ...parts,
  }))
  return { port, underWay: () => underWay }
}

async function askByHttp2(port: number, path: string): Promise<Socket> {
  const socket = await dial(port)
  socket.resume().write(Buffer.concat([PREFACE, frame(0x4, 0, 0, NO_WINDOW), frame(0x1, END_STREAM_AND_HEADERS, 1, requestHeaders('GET', path))]))
  return socket
}

describe('an answer that is not taken', () => {
  for (const path of ['/ipfs/stream', '/ipfs/whole', '/v2/']) {
    it(`goes when a client of HTTP/2 takes its request back, with or without an error, or leaves: ${path}`, async (t) => {
      const { port, underWay } = await start(t)
      const leave = [
        (socket: Socket) => socket.write(frame(0x3, 0, 1, Buffer.from([0, 0, 0, 0]))),
        (socket: Socket) => socket.write(frame(0x3, 0, 1, Buffer.from([0, 0, 0, CANCEL]))),
        (socket: Socket) => socket.end(),
        (socket: Socket) => socket.resetAndDestroy(),
      ]
      for (const how of leave) {
        const socket = await askByHttp2(port, path)
        await until(() => underWay() === 1)
        how(socket)
        await until(() => underWay() === 0)
        socket.destroy()
      }
    })

    it(`goes after a time, although its connection lives on: ${path}`, async (t) => {
      const { port, underWay } = await start(t, { pieceTimeout: 100 })
      const socket = await askByHttp2(port, path)
      const ping = setInterval(() => socket.write(frame(0x6, 0, 0, Buffer.alloc(8))), 20)
      await until(() => underWay() === 1)
      await until(() => underWay() === 0)
      assert.equal(socket.destroyed, false)
      clearInterval(ping)
      socket.destroy()
    })
  }

  it('keeps the requests behind it on a connection of HTTP/1 from beginning, which go with it', async (t) => {
    const { port, underWay } = await start(t)
    const socket = await dial(port)
    socket.pause()
    socket.write(['whole', 'stream', 'stream'].map((path) => `GET /ipfs/${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''))
    await until(() => underWay() > 0)
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.equal(underWay(), 1)
    socket.resetAndDestroy()
    await until(() => underWay() === 0)
  })

  it('is not encrypted before its client takes it', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'disco-unread-'))
    t.after(() => rm(directory, { recursive: true }))
    const [certificate, key] = [join(directory, 'chain.pem'), join(directory, 'key.pem')]
    const { pem, privateKey } = await certify('server')
    await Promise.all([writeFile(certificate, pem), writeFile(key, privateKey.export({ format: 'pem', type: 'pkcs8' }))])
    const body = Buffer.alloc(4 * MIB)
    const { port } = await startFace(t, () => ({ tls: new TlsFiles({ certificate, key, log: silentLogger() }), gateway: async () => ({ status: 200, body }) }))
    const before = process.memoryUsage().rss
    const sockets = await Promise.all(Array.from({ length: 50 }, () => new Promise<TLSSocket>((resolve) => {
      const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
        socket.write('GET /ipfs/x HTTP/1.1\r\nHost: x\r\n\r\n')
        socket.once('readable', () => resolve(socket))
      })
      socket.on('error', () => {})
    })))
    const taken = process.memoryUsage().rss - before
    assert.ok(taken < 50 * MIB, `${Math.round(taken / MIB)} MiB for ${sockets.length} clients`)
    for (const socket of sockets) socket.destroy()
  })
})
