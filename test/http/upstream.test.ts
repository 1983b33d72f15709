import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { Answer } from '../../src/http/answer.ts'
import { HttpServer } from '../../src/http/server.ts'
import { Upstream } from '../../src/http/upstream.ts'
import { RegistryCore } from '../../src/registry/core.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import { silentLogger } from '../../src/telemetry/create-logger.ts'
import type { Logger } from '../../src/telemetry/logger.ts'
import { startFace, talk, until } from './harness.ts'

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
    const { port } = await startFace(t, () => ({ elsewhere: (_route, request, signal) => upstream.answer(request, signal) }))
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
    const { base } = await startFace(t, () => ({ log, elsewhere: (_route, request, signal) => upstream.answer(request, signal) }))
    await new Promise((resolve) => get(`${base}/v2/x/blobs/y`, (response) => resolve(response.destroy())))
    await until(() => lines.length + errors.length === 2)
    assert.deepEqual(errors, [])
  })

  it('is unavailable when nobody is there', async (t) => {
    const upstream = new Upstream(await localSocket(t))
    const { base } = await startFace(t, () => ({ elsewhere: (_route, request, signal) => upstream.answer(request, signal) }))
    assert.equal((await fetch(`${base}/v2/`)).status, 503)
  })
})
