import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createRawServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { OneBufferAgent } from '../../src/ipfs/gateway/one-buffer-agent.ts'

const BODY = Buffer.from(Array.from({ length: 900_000 }, (_, index) => (index * 7919) >> 5))

/** What a listener keeps of an answer, each piece as it was given, in its own memory or not. */
async function piecesOf(response: IncomingMessage): Promise<Buffer[]> {
  const pieces: Buffer[] = []
  response.on('data', (piece: Buffer) => pieces.push(piece))
  await once(response, 'end')
  return pieces
}

async function withServer(server: Server, work: (ask: (path?: string) => Promise<IncomingMessage>) => Promise<void>): Promise<void> {
  const agent = new OneBufferAgent({ keepAlive: true, maxSockets: 1 })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  try {
    await work(async (path = '/') => {
      const [response] = (await once(get({ host: '127.0.0.1', port, path, agent }), 'response')) as [IncomingMessage]
      return response
    })
  } finally {
    agent.destroy()
    server.close()
  }
}

function answer(response: ServerResponse, path = '/'): void {
  if (path === '/chunked') for (let at = 0; at < BODY.length; at += 9973) response.write(BODY.subarray(at, at + 9973))
  else response.setHeader('Content-Length', BODY.length).write(BODY)
  response.end()
}

describe('connections with one buffer', () => {
  it('overwrite nothing that was given, and give it in memory of its own', async () => {
    await withServer(createServer((request, response) => answer(response, request.url)), async (ask) => {
      const answers: Buffer[][] = []
      for (const path of ['/', '/chunked', '/', '/chunked']) answers.push(await piecesOf(await ask(path)))
      for (const pieces of answers) {
        assert.ok(Buffer.concat(pieces).equals(BODY))
        assert.ok(pieces.every((piece) => piece.buffer.byteLength === piece.byteLength))
      }
      assert.equal(new Set(answers.flat().map((piece) => piece.buffer)).size, answers.flat().length)
    })
  })

  it('lose and overwrite nothing of an answer that is paused again and again, or whose listener comes late', async () => {
    await withServer(createServer((request, response) => answer(response, request.url)), async (ask) => {
      for (const path of ['/', '/chunked']) {
        const response = await ask(path)
        await sleep(20)
        const pieces: Buffer[] = []
        for await (const piece of response) {
          pieces.push(piece as Buffer)
          if (pieces.length % 8 === 0) await sleep(1)
        }
        assert.ok(Buffer.concat(pieces).equals(BODY))
      }
    })
  })

  it('take nothing that comes before it was asked for as the next answer', async () => {
    const respond = (body: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    const sockets: Socket[] = []
    const server = createRawServer((socket) => {
      let asked = 0
      sockets.push(socket.on('error', () => {}))
      socket.on('data', () => {
        asked++
        socket.write(asked === 1 ? respond('first') + respond('forged') : respond('second'))
        if (asked === 1) setTimeout(() => socket.write(respond('later')), 10)
      })
    })
    await withServer(server, async (ask) => {
      assert.equal(Buffer.concat(await piecesOf(await ask())).toString(), 'first')
      await sleep(50)
      const second = await ask().then(piecesOf).then((pieces) => Buffer.concat(pieces).toString(), () => 'refused')
      assert.ok(['first', 'second', 'refused'].includes(second), second)
      for (const socket of sockets) socket.destroy()
    })
  })
})
