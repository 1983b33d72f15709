import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { GcsReads } from '../../src/storage/bucket/gcs/reads.ts'

/** More than any explanation. */
const ENDLESS = 64 * 1024 * 1024

describe('reads of Google\'s buckets', () => {
  async function asking(answer: (response: ServerResponse) => void, run: (reads: GcsReads, server: Server) => Promise<void>): Promise<void> {
    const server = createServer((_, response) => answer(response)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      await run(new GcsReads(async () => [], `http://127.0.0.1:${(server.address() as AddressInfo).port}/o`, 'test'), server)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }
  const open = (reads: GcsReads): Promise<unknown> => reads.open('a', { signal: new AbortController().signal })

  it('keep of an answer that is an error what explains it, and let go of the rest', async () => {
    let sent = 0
    const closed = Promise.withResolvers<void>()
    await asking((response) => {
      response.on('close', () => closed.resolve()).writeHead(500).write('it is broken ')
      const send = (): void => {
        if (response.destroyed || sent >= ENDLESS) return void response.end()
        sent += 64 * 1024
        response.write(Buffer.alloc(64 * 1024, 'x'), send)
      }
      send()
    }, async (reads) => {
      await assert.rejects(open(reads), (error: Error & { code?: number }) => error.code === 500 && /^it is broken x+$/.test(error.message) && error.message.length <= 8192)
      await closed.promise
    })
    assert.ok(sent < ENDLESS / 4, `${sent} bytes were taken`)
  })

  it('say what a short one says', async () => {
    await asking((response) => response.writeHead(404).end('No such object: b/ä'), async (reads) => {
      await assert.rejects(open(reads), (error: Error & { code?: number }) => error.code === 404 && error.message === 'No such object: b/ä')
    })
    await asking((response) => response.writeHead(412).end(), (reads) => assert.rejects(open(reads), { code: 412, message: '' }))
  })
})
