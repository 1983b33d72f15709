import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request, type ClientRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'node:test'
import { bodyChunks } from '../../src/http/body-chunks.ts'

describe('the body of a request', () => {
  it('arrives whole and in order at a reader that is slower than the client', async () => {
    const sent = randomBytes(5 * 1024 * 1024 + 17)
    const hash = createHash('sha256')
    await serve(async (incoming) => {
      for await (const chunk of bodyChunks(incoming, 60_000)) {
        if (Math.random() < 0.1) await sleep(1)
        hash.update(chunk)
      }
    }, (outgoing) => outgoing.end(sent))
    assert.equal(hash.digest('hex'), createHash('sha256').update(sent).digest('hex'))
  })

  it('waits in the client, not in memory', async () => {
    let largest = 0
    await serve(async (incoming) => {
      for await (const chunk of bodyChunks(incoming, 60_000)) {
        await sleep(chunk.byteLength > 0 ? 1 : 0)
        largest = Math.max(largest, incoming.readableLength)
      }
    }, (outgoing) => outgoing.end(randomBytes(8 * 1024 * 1024)))
    assert.ok(largest < 1024 * 1024, `${largest} bytes waited`)
  })

  it('may be empty', async () => {
    let chunks = 0
    await serve(async (incoming) => {
      for await (const chunk of bodyChunks(incoming, 60_000)) chunks += chunk.byteLength
    }, (outgoing) => outgoing.end())
    assert.equal(chunks, 0)
  })

  it('throws when the connection ends before it does, after what had come', async () => {
    let received = 0
    let failure: unknown
    await serve(async (incoming) => {
      try {
        for await (const chunk of bodyChunks(incoming, 60_000)) received += chunk.byteLength
      } catch (error) {
        failure = error
      }
    }, (outgoing) => {
      outgoing.setHeader('Content-Length', 1000)
      outgoing.write(randomBytes(600))
      setTimeout(() => outgoing.destroy(), 50)
    })
    assert.equal(received, 600)
    assert.ok(failure instanceof Error)
  })
})

async function serve(read: (incoming: IncomingMessage) => Promise<void>, send: (outgoing: ClientRequest) => void): Promise<void> {
  const done = Promise.withResolvers<void>()
  const server = createServer((incoming, response) => {
    read(incoming).then(done.resolve, done.reject).finally(() => response.end())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const outgoing = request({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, method: 'PUT' })
  outgoing.on('error', () => {})
  outgoing.on('response', (response) => response.resume())
  send(outgoing)
  try {
    await done.promise
  } finally {
    server.closeAllConnections()
    server.close()
  }
}
