import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pino } from 'pino'
import { RegistryError } from '../../src/oci/errors.ts'
import { healthPages } from '../../src/http/health-pages.ts'
import type { HttpServerOptions } from '../../src/http/server.ts'
import { Health } from '../../src/telemetry/health.ts'
import type { SeenRequest } from '../../src/telemetry/request-observer.ts'
import { requestScope } from '../../src/telemetry/request-scope.ts'
import { dial, startFace, until } from './harness.ts'

type Line = Readonly<Record<string, unknown>>

/** A log that keeps its lines. */
function keeping(): { readonly lines: Line[]; readonly log: HttpServerOptions['log'] } {
  const lines: Line[] = []
  const log = pino({ level: 'debug', mixin: () => ({ ...(requestScope.getStore() && { id: requestScope.getStore()?.id }) }) }, { write: (text) => lines.push(JSON.parse(text) as Line) })
  return { lines, log }
}

test('a request has one line: who, what, how long, how much, and nothing that opens doors', async (context) => {
  const { lines, log } = keeping()
  const authorizer = { authorize: async () => ({ user: 'alice', mayPull: () => true }) }
  const { base } = await startFace(context, () => ({ log, authorizer }))
  const begun = await fetch(`${base}/v2/a/blobs/uploads/?note=x&access_token=hunter2`, { method: 'POST', headers: { authorization: 'Bearer hunter2', 'user-agent': 'tester/1' } })
  const sent = await fetch(`${base}${begun.headers.get('location')}`, { method: 'PATCH', body: 'hello', headers: { authorization: 'Bearer hunter2' } })
  assert.deepEqual([begun.status, sent.status], [202, 202])
  await until(() => lines.length === 2)
  const [first, second] = lines
  assert.deepEqual([first?.['method'], first?.['status'], first?.['user'], first?.['address'], first?.['agent']], ['POST', 202, 'alice', '127.0.0.1', 'tester/1'])
  assert.equal(first?.['id'], begun.headers.get('x-request-id'))
  assert.equal(first?.['url'], '/v2/a/blobs/uploads/?note=x&access_token=…')
  assert.equal(second?.['received'], 5)
  assert.doesNotMatch(JSON.stringify(lines), /hunter2/)
})

test('what is logged on behalf of a request says which', async (context) => {
  const { lines, log } = keeping()
  const { base } = await startFace(context, () => ({
    log,
    authorizer: { authorize: async () => { log.warn({}, 'looked'); throw new RegistryError('DENIED') } },
  }))
  const denied = await fetch(`${base}/v2/a/tags/list`)
  await until(() => lines.length === 2)
  assert.deepEqual(lines.map(({ id, msg }) => [id, msg]), [[denied.headers.get('x-request-id'), 'looked'], [denied.headers.get('x-request-id'), 'request']])
})

test('without an access log failures still have their lines', async (context) => {
  const { lines, log } = keeping()
  const { base } = await startFace(context, () => ({ log, accessLogDisabled: true, authorizer: { authorize: async () => { throw new Error('broken') } } }))
  assert.equal((await fetch(`${base}/nothing`)).status, 404)
  assert.equal((await fetch(`${base}/v2/`)).status, 500)
  await until(() => lines.length === 1)
  assert.deepEqual(lines.map(({ msg, status }) => [msg, status]), [['failed', 500]])
})

test('the observer is told what a request was for, and how it went, also when the client goes away', async (context) => {
  const seen: SeenRequest[] = []
  const { base, port } = await startFace(context, () => ({
    observer: {
      async during(request, work) {
        await work()
        seen.push(request)
      },
    },
  }))
  const begun = await fetch(`${base}/v2/a/blobs/uploads/`, { method: 'POST' })
  const location = begun.headers.get('location') ?? ''
  await fetch(`${base}/v2/a/manifests/latest`)
  await until(() => seen.length === 2)
  const socket = await dial(port)
  socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhello`)
  await new Promise((resolve) => setTimeout(resolve, 100))
  socket.destroy()
  await until(() => seen.length === 3)
  assert.deepEqual(seen.map(({ handler, method, status, errorCode, received }) => [handler, method, status, errorCode, received]), [
    ['blob_upload', 'POST', 202, undefined, 0],
    ['manifest', 'GET', 404, 'NAME_UNKNOWN', 0],
    ['blob_upload_chunk', 'PATCH', 499, undefined, 5],
  ])
  assert.ok((seen[1]?.sent ?? 0) > 50)
})

test('health is told to anybody, in a word, and readiness ends when the registry begins to stop', async (context) => {
  const health = new Health(pino({ level: 'silent' }))
  const { base } = await startFace(context, () => ({ health: healthPages(health), authorizer: { authorize: async () => { throw new RegistryError('UNAUTHORIZED') } } }))
  const ask = async (path: string): Promise<readonly [number, string]> => {
    const answer = await fetch(`${base}${path}`)
    return [answer.status, await answer.text()]
  }
  assert.deepEqual([await ask('/healthz'), await ask('/readyz')], [[200, 'ok\n'], [200, 'ok\n']])
  health.add('store at /secret/path', async () => { throw new Error('broken') })
  assert.deepEqual([await ask('/healthz'), await ask('/readyz')], [[200, 'ok\n'], [503, 'not ready\n']])
  health.stop()
  assert.deepEqual([await ask('/healthz'), await ask('/readyz')], [[200, 'ok\n'], [503, 'not ready\n']])
  assert.equal((await fetch(`${base}/readyz`, { method: 'POST' })).status, 405)
})
