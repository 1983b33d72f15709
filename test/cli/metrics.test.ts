import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { until } from '../http/harness.ts'
import { freePort } from '../telemetry/free-port.ts'
import { LOCAL, start } from './command.ts'

const REQUESTS = 40

it('one debug address tells what all processes did together, and what each takes', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'disco-metrics-'))
  const debug = await freePort()
  const disco = start([...LOCAL, '--data', join(directory, 'data'), '--processes', '2', '--debug', `127.0.0.1:${debug}`])
  const metricsOf = async (): Promise<string> => (await fetch(`http://127.0.0.1:${debug}/metrics`)).text()
  try {
    const address = await disco.address
    // each on a connection of its own, so that the processes share them
    for (let i = 0; i < REQUESTS; i++) assert.equal((await fetch(`${address}/v2/`, { headers: { connection: 'close' } })).status, 200)
    const metrics = await metricsOf()
    assert.match(metrics, new RegExp(`^registry_http_requests_total\\{handler="base",code="200",method="get"\\} ${REQUESTS}$`, 'm'))
    assert.deepEqual(processesIn(metrics), ['main', 'worker-1', 'worker-2'])
    const workers = (): string[] => execFileSync('ps', ['-o', 'pid=', '--ppid', String(disco.child.pid)], { encoding: 'utf8' }).match(/\d+/g) ?? []
    const [victim = ''] = workers()
    process.kill(Number(victim), 'SIGKILL')
    // who takes its place has its name
    await until(async () => !workers().includes(victim) && processesIn(await metricsOf()).length === 3)
    assert.deepEqual(processesIn(await metricsOf()), ['main', 'worker-1', 'worker-2'])
    assert.equal((await fetch(`${address}/readyz`)).status, 200)
    assert.equal((await fetch(`http://127.0.0.1:${debug}/readyz`)).status, 200)
    disco.child.kill('SIGTERM')
    const { code, err } = await disco.ended
    assert.equal(code, 0, err)
  } finally {
    disco.child.kill('SIGKILL')
    await rm(directory, { recursive: true, force: true })
  }
})

function processesIn(metrics: string): string[] {
  return [...metrics.matchAll(/^process_resident_memory_bytes\{process="([^"]+)"\}/gm)].map(([, name = '']) => name).toSorted()
}
