import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { KuboDownError } from '../../src/ipfs/kubo/nodes/errors.ts'
import { KuboNode } from '../../src/ipfs/kubo/nodes/node.ts'

/** What a node does that may hang: `answers` what it is asked by the command, the rest it leaves unanswered. */
type Answers = Readonly<Record<string, (answer: ServerResponse) => void>>

const PATIENCE = { silence: 300, answer: 300 }
const version = (answer: ServerResponse): void => void answer.end('{"Version":"0.43.0"}')
const stat = (answer: ServerResponse): void => void answer.end('{"Hash":"QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn","Size":0,"Type":"directory"}')

describe('a Kubo that hangs and does not hang up', { timeout: 60_000 }, () => {
  let answers: Answers = {}
  const asked: string[] = []
  const server = createServer((request, response) => {
    const [, command = ''] = /^\/api\/v0\/([^?]*)/.exec(request.url ?? '') ?? []
    asked.push(command)
    request.resume()
    answers[command]?.(response)
  })
  let node: KuboNode

  before(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    node = new KuboNode(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { patience: PATIENCE })
  })
  after(() => {
    node.close()
    server.closeAllConnections()
    server.close()
  })

  it('is waited for while it answers anything else', async () => {
    answers = { version, 'files/stat': (answer) => void setTimeout(() => stat(answer), 4 * PATIENCE.silence) }
    assert.equal((await node.stat('/'))?.directory, true)
    assert.ok(asked.filter((command) => command === 'version').length >= 3)
  })

  it('is given up when it answers nothing, also in the middle, and then costs nobody its patience until it is back', async () => {
    answers = { version, 'files/read': (answer) => answer.write('beginning') }
    const reading = node.read('/a')[Symbol.asyncIterator]()
    assert.equal(Buffer.from((await reading.next()).value ?? []).toString(), 'beginning')
    answers = {}
    await assert.rejects(reading.next(), (error: unknown) => error instanceof KuboDownError && /does not answer \(files\/read\): nothing for/.test(error.message))
    asked.length = 0
    await Promise.all(Array.from({ length: 5 }, () => assert.rejects(node.stat('/'), KuboDownError)))
    // No more than a look whether it is back.
    assert.deepEqual(asked, ['version'])
    answers = { version, 'files/stat': stat }
    node.rpc.close()
    for (let i = 0; i < 100 && (await node.stat('/').catch(() => undefined)) === undefined; i++) await sleep(100)
    assert.equal((await node.stat('/'))?.directory, true)
  })

  it('has all the time that whoever reads takes', async () => {
    answers = { version, cat: (answer) => void answer.end('x'.repeat(4_000_000)) }
    let size = 0
    const take = (bytes: Uint8Array): Promise<void> | undefined => {
      size += bytes.byteLength
      return size === bytes.byteLength ? sleep(4 * PATIENCE.silence) : undefined
    }
    for await (const chunk of node.rpc.stream('cat')) await take(chunk)
    assert.equal(size, 4_000_000)
    size = 0
    await node.rpc.pour('cat', {}, take)
    assert.equal(size, 4_000_000)
  })

  it('is given up in the middle by who takes what comes, too', async () => {
    answers = { version, cat: (answer) => answer.write('beginning') }
    await assert.rejects(node.rpc.pour('cat', {}, () => void (answers = {})), KuboDownError)
  })

  it('has all the time that whoever sends takes', async () => {
    const add = (answer: ServerResponse): void => void answer.req.on('end', () => answer.end('{"Hash":"QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"}'))
    answers = { version, add }
    await node.version()
    await node.add((async function* () {
      yield Buffer.from('a')
      answers = { add }
      await sleep(4 * PATIENCE.silence)
      yield Buffer.from('b')
    })())
  })
})
