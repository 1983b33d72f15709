import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'

const MODULE = join(import.meta.dirname, '../../src/telemetry/create-logger.ts')

/** What a process with such a log says on stderr, which is no terminal. */
function told(options: object): string {
  const script = `
    const { createLogger } = await import(${JSON.stringify(MODULE)})
    const log = createLogger(${JSON.stringify(options)}).child({ name: 'part' })
    log.info({ of: 1 }, 'hello')
    log.warn({ text: 'a\\u001b[31mb' }, 'careful')`
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', env: { ...process.env, NODE_NO_WARNINGS: '1' } }).stderr
}

test('is JSON where nobody looks, with the fields that were asked for', () => {
  const [first = ''] = told({ logLevel: 'info', logFields: { service: 'registry', environment: 'test' } }).split('\n')
  const { time, ...line } = JSON.parse(first) as Record<string, unknown>
  assert.equal(typeof time, 'number')
  assert.deepEqual(line, { level: 30, service: 'registry', environment: 'test', name: 'part', of: 1, msg: 'hello' })
})

test('says once what an error and its causes all say', () => {
  const script = `
    const { createLogger } = await import(${JSON.stringify(MODULE)})
    const log = createLogger({ logLevel: 'info' })
    const refused = new Error('connect ECONNREFUSED')
    const down = new Error('the node is down: connect ECONNREFUSED', { cause: refused })
    log.warn({ err: new Error('the node is down: connect ECONNREFUSED', { cause: down }) }, 'a')
    log.warn({ err: new Error('fetch failed', { cause: refused }) }, 'b')
    log.warn({ err: 'no error' }, 'c')`
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', env: { ...process.env, NODE_NO_WARNINGS: '1' } })
  const [a, b, c] = stderr.trimEnd().split('\n').map((line) => (JSON.parse(line) as { err: { message: string; stack: string } | string }).err)
  assert.ok(typeof a === 'object' && typeof b === 'object')
  assert.deepEqual([a.message, b.message, c], ['the node is down: connect ECONNREFUSED', 'fetch failed: connect ECONNREFUSED', 'no error'])
  assert.match(b.stack, /caused by: Error: connect ECONNREFUSED/)
})

test('is text where that is wanted, and nothing in it steers a terminal', () => {
  const lines = told({ logLevel: 'warn', logFormatter: 'text' }).trimEnd().split('\n')
  assert.equal(lines.length, 1)
  assert.match(lines[0] ?? '', /^\d\d:\d\d:\d\d warn {2}part careful text=ab$/)
})
