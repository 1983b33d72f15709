import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { GatewayPeer } from '../../src/ipfs/gateway/gateway-peer.ts'
import { cidOf, RAW, sha256 } from '../../src/ipfs/unixfs/block.ts'

const blocks = new Map(Array.from({ length: 24 }, (_, index) => {
  const bytes = randomBytes(index * 70_001)
  return [cidOf(RAW, sha256(bytes)).toString(), bytes]
}))

/** Runs `work` against a gateway that answers as `answer` does. */
async function withGateway(answer: (response: ServerResponse, bytes: Buffer) => void, work: (peer: GatewayPeer) => Promise<void>): Promise<void> {
  const server = createServer((request, response) => answer(response, blocks.get(/ipfs\/(\w+)/.exec(request.url ?? '')?.[1] ?? '') ?? Buffer.alloc(0)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const peer = new GatewayPeer(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { connections: 5 })
  try {
    await work(peer)
  } finally {
    await peer.close()
    server.close()
  }
}

async function askForAll(peer: GatewayPeer): Promise<void> {
  const all = [...blocks.values()].map(async (bytes) => assert.deepEqual(Buffer.from((await peer.ask(cidOf(RAW, sha256(bytes)))) ?? []), bytes))
  await Promise.all(all)
}

describe('a gateway peer', () => {
  it('gets blocks of every size over a few connections, each used again and again', async () => {
    await withGateway((response, bytes) => response.setHeader('Content-Length', bytes.length).end(bytes), askForAll)
  })

  it('gets blocks that come in the chunked coding, in pieces of odd sizes', async () => {
    await withGateway((response, bytes) => {
      for (let at = 0; at < bytes.length; at += 9973) response.write(bytes.subarray(at, at + 9973))
      response.end()
    }, askForAll)
  })
})
