import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { until } from '../http/harness.ts'
import { freePort } from '../telemetry/free-port.ts'
import { LOCAL, start } from './command.ts'

const REQUESTS = 20
/** Milliseconds. */
const PATIENCE = 5_000

it('out of rotation are all processes at once, and those that come later', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'disco-rotation-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const debug = `127.0.0.1:${await freePort()}`
  // of its own, as a free one is another once no worker has it
  const local = LOCAL.with(LOCAL.indexOf('--port') + 1, String(await freePort()))
  const disco = start([...local, '--data', join(directory, 'data'), '--processes', '2', '--debug', debug])
  const address = await disco.address
  // each on a connection of its own, so that every process is asked
  const statusOf = async (base: string): Promise<number> => (await fetch(`${base}/readyz`, { headers: { connection: 'close' }, signal: AbortSignal.timeout(PATIENCE) })).status
  const statuses = async (): Promise<number[]> => [...new Set(await Promise.all(Array.from({ length: REQUESTS }, () => statusOf(address))))]
  const turn = async (to: 'down' | 'up'): Promise<void> => assert.equal((await fetch(`http://${debug}/debug/health/${to}`, { method: 'POST' })).status, 200)
  const workers = (): string[] => execFileSync('ps', ['-o', 'pid=', '--ppid', String(disco.child.pid)], { encoding: 'utf8' }).match(/\d+/g) ?? []

  assert.deepEqual(await statuses(), [200])
  await turn('down')
  assert.deepEqual([await statuses(), await statusOf(`http://${debug}`)], [[503], 503])
  for (const victim of workers()) process.kill(Number(victim), 'SIGKILL')
  await until(() => statusOf(address).then(() => true, () => false))
  assert.deepEqual(await statuses(), [503])
  await turn('up')
  assert.deepEqual([await statuses(), await statusOf(`http://${debug}`)], [[200], 200])
  disco.child.kill('SIGTERM')
  const { code, err } = await disco.ended
  assert.equal(code, 0, err)
})
