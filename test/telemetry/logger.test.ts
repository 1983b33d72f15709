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

test('is text where that is wanted, and nothing in it steers a terminal', () => {
  const lines = told({ logLevel: 'warn', logFormatter: 'text' }).trimEnd().split('\n')
  assert.equal(lines.length, 1)
  assert.match(lines[0] ?? '', /^\d\d:\d\d:\d\d warn {2}part careful text=ab$/)
})
