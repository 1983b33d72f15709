import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { until } from '../http/harness.ts'
import { LOCAL } from './command.ts'

const RUN = join(import.meta.dirname, '../../scripts/run.mjs')

/** Whether it is told to run on one process or on several, and who is told. */
for (const processes of ['1', '2']) {
  for (const told of ['the script that started it', 'Disco itself']) {
    it(`outlives SIGHUP to ${told} with ${processes} process(es)`, async (t) => {
      const data = await mkdtemp(join(tmpdir(), 'disco-hangup-'))
      t.after(() => rm(data, { recursive: true, force: true }))
      const child = spawn(process.execPath, [RUN, 'start', ...LOCAL, '--data', data, '--processes', processes], {
        stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, REGISTRY_LOG_LEVEL: 'info', REGISTRY_LOG_FORMATTER: 'json' },
      })
      t.after(() => void child.kill('SIGKILL'))
      const ended = once(child, 'exit')
      let [out, err] = ['', '']
      child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
      child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
      await until(() => /^registry +\S+$/m.test(out))
      const address = /^registry +(\S+)$/m.exec(out)?.[1] ?? ''
      const { pid } = JSON.parse(await readFile(join(data, 'running.json'), 'utf8')) as { pid: number }
      process.kill(told === 'Disco itself' ? pid : child.pid ?? 0, 'SIGHUP')
      await until(() => err.includes('SIGHUP: there is nothing to read again'))
      assert.equal((await fetch(`${address}/v2/`)).status, 200)
      child.kill('SIGTERM')
      assert.deepEqual(await ended, [0, null], err)
    })
  }
}
