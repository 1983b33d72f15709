import assert from 'node:assert/strict'
import { connect } from 'node:http2'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { dial, from, startFace, until } from './harness.ts'

describe('connections', () => {
  it('are bounded, for one client and for all; who is one too many is told so', async (t) => {
    const { port, base } = await startFace(t, () => ({ connections: { total: 3, perClient: 2 } }))
    const first = await dial(port)
    await dial(port)
    const refused = await fetch(base)
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '5'])
    assert.equal((await from('127.0.0.2', { port }, '/v2/')).status, 200)
    first.destroy()
    await until(async () => (await fetch(`${base}/v2/`)).status === 200)
  })

  it('that are idle make room for others, whatever they speak', async (t) => {
    const { port, base } = await startFace(t, () => ({ h2c: true, connections: { total: 3, perClient: 4 } }))
    const sessions = Array.from({ length: 3 }, () => connect(base))
    t.after(() => sessions.forEach((session) => session.destroy()))
    let ended = 0
    for (const session of sessions) session.on('error', () => {}).on('close', () => ended++)
    await Promise.all(sessions.map((session) => new Promise((resolve) => session.once('remoteSettings', resolve))))
    assert.equal((await from('127.0.0.1', { port }, '/v2/')).status, 503)
    await until(() => ended === 3)
    assert.equal((await from('127.0.0.1', { port }, '/v2/')).status, 200)
  })

  it('that send their headers too slowly are dropped', async (t) => {
    const { port } = await startFace(t, () => ({ headersTimeout: 100 }))
    const slow = await dial(port)
    slow.write('GET /v2/ HTTP/1.1\r\nX: ')
    const drip = setInterval(() => slow.write('x'), 20)
    assert.match(await text(slow), /^HTTP\/1\.1 408/)
    clearInterval(drip)
  })

  for (const begun of ['', 'PR', 'PRI', 'GET /v2/ HT']) {
    it(`do not outlive the time that a stop has, having sent '${begun}'`, async (t) => {
      const { port, server } = await startFace(t, () => ({ h2c: true }))
      const socket = await dial(port)
      const closed = new Promise((resolve) => socket.resume().once('close', resolve))
      socket.write(begun)
      await new Promise((resolve) => setTimeout(resolve, 50))
      // One that has asked for nothing is not waited for.
      await server.stop(begun === '' ? 1_000_000 : 100)
      await closed
    })
  }
})
