import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createDisco, type Disco } from '../../src/disco.ts'
import { freePort } from './free-port.ts'

const DOCS = join(import.meta.dirname, '../../docs')

describe('the debug address', () => {
  let directory: string
  let disco: Disco
  let address: string
  let debug: string

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'disco-debug-'))
    const port = await freePort()
    debug = `http://127.0.0.1:${port}`
    disco = await createDisco({
      data: join(directory, 'data'), network: 'private', host: '127.0.0.1', port: 0, listen: ['/ip4/127.0.0.1/tcp/0'], debugAddress: `127.0.0.1:${port}`,
      healthFiles: [{ file: join(directory, 'down'), interval: 1, threshold: 1 }],
      notificationEndpoints: [{ name: 'hook', url: 'http://127.0.0.1:9' }] as never,
    })
    address = await disco.start()
  })

  after(async () => {
    await disco.stop()
    await rm(directory, { recursive: true, force: true })
  })

  it('tells what was asked of the registry and of the store', async () => {
    assert.equal((await fetch(`${address}/v2/a/manifests/latest`)).status, 404)
    const answer = await fetch(`${debug}/metrics`)
    assert.match(answer.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
    const text = await answer.text()
    assert.match(text, /^registry_http_requests_total\{handler="manifest",code="404",method="get"\} 1$/m)
    assert.match(text, /^registry_storage_action_seconds_count\{driver="embedded",action="(Stat|GetContent)"\} [1-9]/m)
    assert.match(text, /^disco_ipfs_peers 0$/m)
    assert.match(text, /^disco_database_commits_total [1-9]/m)
    assert.match(text, /^registry_notifications_pending_total\{endpoint="hook"\} 0$/m)
    assert.match(text, /^nodejs_eventloop_lag_p99_seconds\{process="main"\} /m)
  })

  it('is the only one that tells it', async () => {
    for (const path of ['/metrics', '/debug/health']) assert.equal((await fetch(`${address}${path}`)).status, 404)
    assert.equal((await fetch(`${debug}/v2/`)).status, 404)
  })

  it('tells what ails the registry, and takes it out of rotation', async () => {
    assert.deepEqual(await (await fetch(`${debug}/debug/health`)).json(), {})
    assert.equal((await fetch(`${debug}/debug/health/down`, { method: 'POST' })).status, 200)
    const down = await fetch(`${debug}/debug/health`)
    assert.deepEqual([down.status, await down.json()], [503, { manual_http_status: 'manual Check' }])
    assert.equal((await fetch(`${address}/readyz`)).status, 503)
    assert.equal((await fetch(`${debug}/debug/health/up`, { method: 'POST' })).status, 200)
    assert.equal((await fetch(`${address}/readyz`)).status, 200)
    assert.equal((await fetch(`${debug}/healthz`)).status, 200)
  })

  it('is not switched by a web page that somebody looks at', async () => {
    const answer = await fetch(`${debug}/debug/health/down`, { method: 'POST', headers: { Origin: 'https://evil.example' } })
    assert.equal(answer.status, 403)
    assert.equal((await fetch(`${debug}/readyz`)).status, 200)
  })

  it('has every metric that the documentation lists, and the documentation every one that it has', async () => {
    const names = (await disco.metrics() ?? []).map(({ name }) => name).filter((name) => !/^(process|nodejs)_/.test(name))
    const page = await readFile(join(DOCS, 'observability.md'), 'utf8')
    const listed = [...page.matchAll(/^\| `((?:disco|registry)_\w+)` \|/gm)].map(([, name]) => name)
    assert.deepEqual(listed.toSorted(), names.toSorted())
  })

  it('has every metric that the dashboard shows, and the dashboard every one of the registry', async () => {
    const suffixes = ['', '_bucket', '_sum', '_count']
    const names = new Set((await disco.metrics() ?? []).flatMap(({ name }) => suffixes.map((suffix) => name + suffix)))
    const dashboard = await readFile(join(DOCS, 'grafana/disco.json'), 'utf8')
    const expressions = [...dashboard.matchAll(/"expr": ("(?:[^"\\]|\\.)*")/g)].map(([, text = '']) => JSON.parse(text) as string)
    const used = expressions.flatMap((expression) => expression.match(/\b(?:disco|registry|nodejs|process)_\w+/g) ?? [])
    assert.ok(used.length > 20)
    assert.deepEqual(used.filter((name) => !names.has(name)), [])
    const shown = (name: string): boolean => suffixes.some((suffix) => used.includes(name + suffix))
    const all = (await disco.metrics() ?? []).map(({ name }) => name)
    assert.deepEqual(all.filter((name) => /^(disco|registry)_/.test(name) && !shown(name)), [])
  })
})
