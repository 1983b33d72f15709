import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'

const SHUTDOWN = join(import.meta.dirname, '../../src/cli/shutdown.ts')

interface Ending {
  readonly how: readonly [code: number | null, signal: string | null]
  readonly err: string
  /** Since the first signal. */
  readonly milliseconds: number
}

describe('the end of a process', { concurrency: true, timeout: 30_000 }, () => {
  let directory: string
  let pipe: string
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'disco-hung-'))
    pipe = join(directory, 'pipe')
    await promisify(execFile)('mkfifo', [pipe])
  })
  after(() => rm(directory, { recursive: true, force: true }))

  /** Of one that does `work` first, and closes by `stop`. */
  async function ending(name: string, { work = '', stop = '', limit = 5000, again = false }): Promise<Ending> {
    const script = join(directory, `${name}.ts`)
    await writeFile(script, `
      import { open, readFile } from 'node:fs/promises'
      import { setTimeout as sleep } from 'node:timers/promises'
      import { onShutdown } from ${JSON.stringify(SHUTDOWN)}
      const pipe = ${JSON.stringify(pipe)}
      setInterval(() => {}, 1000)
      onShutdown(async () => { ${stop} }, ${limit})
      ${work}
      setTimeout(() => console.log('ready'), 300)
    `)
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'pipe'] })
    after(() => void child.kill('SIGKILL'))
    let err = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
    const ended = Promise.all([once(child, 'exit'), once(child.stderr, 'close')])
    await once(child.stdout, 'data')
    const began = performance.now()
    child.kill('SIGTERM')
    // One that is not handled for long is the first one's.
    const second = again ? setInterval(() => child.kill('SIGTERM'), 2000) : undefined
    const [how] = await ended.finally(() => clearInterval(second))
    return { how: how as [number | null, string | null], err, milliseconds: performance.now() - began }
  }

  const HANG = 'for (let i = 0; i < 6; i++) void open(pipe)'

  it('has the code of what was done in time, with what was under way in threads', async () => {
    const { how, err } = await ending('orderly', {
      work: 'let stopped = false; void (async () => { while (!stopped) await readFile(import.meta.filename) })()',
      stop: 'stopped = true; process.exitCode = 3',
    })
    assert.deepEqual([how, err], [[3, null], ''])
  })

  it('has its code where closing fails', async () => {
    const { how, err } = await ending('failing', { stop: "throw new Error('a fault')" })
    assert.deepEqual(how, [1, null])
    assert.match(err, /a fault/)
  })

  it('does not wait for threads that wait for good', async () => {
    const { how, err, milliseconds } = await ending('hung', { work: HANG })
    assert.deepEqual(how, [null, 'SIGKILL'])
    assert.match(err, /^disco: storage or a name server does not answer, and the process is killed .*\n$/)
    assert.ok(milliseconds < 5000)
  })

  it('does not wait for closing that waits for good', async () => {
    const { how, err } = await ending('closing', { stop: 'await open(pipe)', limit: 1000 })
    assert.deepEqual(how, [null, 'SIGKILL'])
    assert.match(err, /^disco: it has not closed within 1 s, .*\n$/)
  })

  for (const [what, work] of Object.entries({
    'that waits': '',
    'whose threads wait for good': HANG,
    // What process.exit would wait for, and nothing tells of.
    'whose worker waits for good': "new (await import('node:worker_threads')).Worker(`require('node:fs').readFileSync(${JSON.stringify(pipe)})`, { eval: true })",
  })) it(`comes at once with a second signal in one ${what}`, async () => {
    const { how, err, milliseconds } = await ending(what.replaceAll(' ', '-'), { work, stop: 'await sleep(20_000)', limit: 20_000, again: true })
    assert.deepEqual(how, [null, 'SIGKILL'])
    assert.match(err, /^disco: it was told twice to end, .*\n$/)
    assert.ok(milliseconds < 10_000)
  })
})
