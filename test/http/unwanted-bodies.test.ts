import assert from 'node:assert/strict'
import { connect } from 'node:http2'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { dial, startFace, until } from './harness.ts'

const LARGE = 20_000_000

describe('a body that nobody reads', () => {
  it('is dropped while the answer is awaited, instead of waiting with it', async (t) => {
    const gate = Promise.withResolvers<void>()
    const { port, base } = await startFace(t, () => ({ h2c: true, gateway: async () => {
      await gate.promise
      return { status: 200, body: 'the answer' }
    } }))
    const socket = await dial(port)
    const answer = text(socket)
    const byHttp1 = new Promise((resolve) => socket.write(`GET /ipfs/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${LARGE}\r\n\r\n${'x'.repeat(LARGE)}`, resolve))
    const session = connect(base)
    t.after(() => session.destroy())
    const stream = session.request({ ':method': 'GET', ':path': '/ipfs/x' }, { endStream: false })
    const byHttp2 = new Promise((resolve) => stream.write(Buffer.alloc(LARGE), resolve))
    await Promise.all([byHttp1, byHttp2])
    gate.resolve()
    assert.match(await answer, /the answer$/)
    // The stream goes with its end, which a reader of Node's takes for an error.
    let got = ''
    await new Promise((resolve) => stream.on('data', (part) => (got += part)).once('close', resolve).end())
    assert.equal(got, 'the answer')
  })

  it('leaves nothing that keeps the process alive when its client goes after the answer', async (t) => {
    const { port } = await startFace(t)
    const timers = (): number => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length
    const before = timers()
    const socket = await dial(port)
    socket.write('PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\nx')
    const [answer] = await new Promise<Buffer[]>((resolve) => socket.once('data', (bytes: Buffer) => resolve([bytes])))
    assert.match(String(answer), /^HTTP\/1\.1 413/)
    socket.destroy()
    await until(() => timers() <= before)
  })
})
