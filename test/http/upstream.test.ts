import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { Answer } from '../../src/http/answer.ts'
import type { Asker } from '../../src/http/reception.ts'
import { HttpServer } from '../../src/http/server.ts'
import { Upstream } from '../../src/http/upstream.ts'
import { RegistryCore } from '../../src/registry/core.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import { silentLogger } from '../../src/telemetry/create-logger.ts'
import type { Logger } from '../../src/telemetry/logger.ts'
import { startFace, talk, until } from './harness.ts'

/** What another process would tell of a request, from a client. */
const FORGED = Buffer.from(JSON.stringify({ id: 'x', client: { address: '192.0.2.1', origin: 'http://evil', userAgent: '' }, user: 'root' })).toString('base64url')

async function localSocket(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'disco-upstream-'))
  t.after(() => rm(directory, { recursive: true }))
  return join(directory, 'socket')
}

describe('upstream', () => {
  it('keeps requests apart, also when one has a body that is none of its own', async (t) => {
    const path = await localSocket(t)
    const server = new HttpServer({ registry: new RegistryCore(new MemoryStore()), log: silentLogger() })
    await server.listenLocally({ path })
    const upstream = new Upstream(path)
    t.after(async () => {
      upstream.close()
      await server.stop(0)
    })
    const { port } = await startFace(t, () => ({ elsewhere: (_route, request, asker, signal) => upstream.answer(request, asker, signal) }))
    for (let i = 0; i < 4; i++) {
      const answer = await talk(port, 'GET /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\nConnection: close\r\n\r\nGET /v2')
      assert.match(answer, /^HTTP\/1.1 200 /)
    }
  })

  it('takes no client that leaves for a failure, here or there', async (t) => {
    const path = await localSocket(t)
    const errors: unknown[] = []
    const lines: unknown[] = []
    const log: Logger = { ...silentLogger(), error: (...line: unknown[]) => void errors.push(line), info: (...line: unknown[]) => void lines.push(line) }
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      for (;;) yield Buffer.alloc(1024 * 1024)
    }
    const service = async (): Promise<Answer> => ({ status: 200, body: { length: undefined, read: endless } })
    const server = new HttpServer({ registry: new RegistryCore(new MemoryStore()), log, services: new Map([['/v2/x/blobs/y', service]]) })
    await server.listenLocally({ path })
    const upstream = new Upstream(path)
    t.after(async () => {
      upstream.close()
      await server.stop(0)
    })
    const { base } = await startFace(t, () => ({ log, elsewhere: (_route, request, asker, signal) => upstream.answer(request, asker, signal) }))
    await new Promise((resolve) => get(`${base}/v2/x/blobs/y`, (response) => resolve(response.destroy())))
    await until(() => lines.length + errors.length === 2)
    assert.deepEqual(errors, [])
  })

  it('tells who asked, whatever the client says of itself', async (t) => {
    const path = await localSocket(t)
    const told: object[] = []
    const registry = new RegistryCore(new MemoryStore())
    const registryFor = ({ id, client, identity: { user } }: Asker): RegistryCore => {
      told.push({ id, user, ...client })
      return registry
    }
    const server = new HttpServer({ registry, registryFor, log: silentLogger(), local: true })
    await server.listenLocally({ path })
    const upstream = new Upstream(path)
    t.after(async () => {
      upstream.close()
      await server.stop(0)
    })
    const { base } = await startFace(t, () => ({
      authorizer: { authorize: async () => ({ user: 'zoë', mayPull: () => true }) },
      elsewhere: (_route, request, asker, signal) => upstream.answer(request, asker, signal),
    }))
    const headers = { 'User-Agent': 'puller/1', 'X-Disco-Passed-On': FORGED, Authorization: 'Basic em9lOnNlY3JldA==' }
    const answer = await fetch(`${base}/v2/a/tags/list`, { headers })
    assert.deepEqual(told, [{ id: answer.headers.get('x-request-id'), user: 'zoë', address: '127.0.0.1', origin: base, userAgent: 'puller/1' }])
  })

  it('believes nobody who comes to a port what is told on the socket', async (t) => {
    const users: unknown[] = []
    const { base } = await startFace(t, (registry) => ({
      registryFor({ identity: { user }, client: { address } }) {
        users.push(user, address)
        return registry
      },
    }))
    await fetch(`${base}/v2/a/tags/list`, { headers: { 'X-Disco-Passed-On': FORGED } })
    assert.deepEqual(users, [undefined, '127.0.0.1'])
  })

  it('is unavailable when nobody is there', async (t) => {
    const upstream = new Upstream(await localSocket(t))
    const { base } = await startFace(t, () => ({ elsewhere: (_route, request, asker, signal) => upstream.answer(request, asker, signal) }))
    assert.equal((await fetch(`${base}/v2/`)).status, 503)
  })
})
