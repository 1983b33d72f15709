import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CID } from 'multiformats/cid'
import { KuboDownError, KuboRefusedError } from '../../src/ipfs/kubo/nodes/errors.ts'
import { KuboNode } from '../../src/ipfs/kubo/nodes/node.ts'

const FILE = CID.parse('bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku')
const CONTENT = randomBytes(3_000_000)
const PATIENCE = { silence: 300, answer: 300 }

describe('a file poured out of a Kubo', { timeout: 60_000 }, () => {
  let cat: (answer: ServerResponse, request: IncomingMessage) => void
  const asked: string[] = []
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://kubo')
    request.resume()
    if (pathname.endsWith('/version')) return void response.end('{"Version":"0.43.0"}')
    asked.push(`HTTP/${request.httpVersion} from ${searchParams.get('offset') ?? 0}`)
    cat(response, request)
  })
  let node: KuboNode

  before(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    node = new KuboNode(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { patience: PATIENCE, token: 'secret' })
  })
  after(() => {
    node.close()
    server.closeAllConnections()
    server.close()
  })

  /** All that came. */
  async function pour(signal?: AbortSignal): Promise<Buffer> {
    asked.length = 0
    const came: Buffer[] = []
    await node.pour(FILE, CONTENT.length, (bytes) => void came.push(Buffer.from(bytes)), { signal })
    return Buffer.concat(came)
  }

  it('comes as it is, by HTTP/1.0, with the token', async () => {
    let authorization: string | undefined
    cat = (answer, request) => {
      authorization = request.headers.authorization
      answer.end(CONTENT)
    }
    assert.ok((await pour()).equals(CONTENT))
    assert.deepEqual(asked, ['HTTP/1.0 from 0'])
    assert.equal(authorization, 'Bearer secret')
  })

  it('waits for who takes it, and leaves him the bytes so long', async () => {
    cat = (answer) => answer.end(CONTENT)
    let [taken, at, taking] = [0, 0, 0]
    await node.pour(FILE, CONTENT.length, (bytes) => {
      assert.equal(++taking, 1)
      if (taken++ % 3 > 0) return check(bytes)
      return sleep(5).then(() => check(bytes))
    })
    function check(bytes: Uint8Array): undefined {
      taking--
      assert.ok(CONTENT.subarray(at, at += bytes.length).equals(bytes))
    }
    assert.equal(at, CONTENT.length)
  })

  it('says why it ended early', async () => {
    cat = (answer, { httpVersion }) => {
      if (httpVersion === '1.0') return answer.end(CONTENT.subarray(0, 1_000_000))
      answer.setHeader('Trailer', 'X-Stream-Error')
      answer.write(CONTENT.subarray(1_000_000, 1_000_001))
      answer.addTrailers({ 'X-Stream-Error': 'block was not found' })
      answer.end()
    }
    await assert.rejects(pour(), (error: unknown) => error instanceof KuboRefusedError && error.reason === 'block was not found')
    assert.deepEqual(asked, ['HTTP/1.0 from 0', 'HTTP/1.1 from 1000000'])
  })

  it('is refused in the words of the node', async () => {
    cat = (answer) => {
      answer.statusCode = 500
      answer.end('{"Message":"this dag node is a directory","Code":0,"Type":"error"}')
    }
    await assert.rejects(pour(), (error: unknown) => error instanceof KuboRefusedError && error.reason === 'this dag node is a directory')
  })

  it('ends with what its taker throws, at once or later, and with its signal', async () => {
    let left = Promise.withResolvers<void>()
    cat = (answer) => {
      answer.on('close', () => left.resolve())
      answer.write(CONTENT)
    }
    const reason = new Error('not what was wanted')
    for (const take of [(): never => { throw reason }, (): Promise<never> => Promise.reject(reason)]) {
      left = Promise.withResolvers()
      await assert.rejects(node.pour(FILE, CONTENT.length, take), reason)
      await left.promise
    }
    const abort = new AbortController()
    left = Promise.withResolvers()
    setTimeout(() => abort.abort(reason), 50)
    await assert.rejects(pour(abort.signal), reason)
    await left.promise
  })

  it('tells of a node that is silent in the middle, or says nothing', async () => {
    cat = (answer) => {
      answer.write('beginning')
      server.removeAllListeners('request')
    }
    const handlers = server.listeners('request')
    await assert.rejects(pour(), (error: unknown) => error instanceof KuboDownError && /does not answer \(cat\): nothing for/.test(error.message))
    for (const handler of handlers) server.on('request', handler as () => void)
    cat = (answer) => answer.destroy()
    await assert.rejects(pour(), (error: unknown) => error instanceof KuboDownError && /hung up without an answer/.test(error.message))
  })
})
