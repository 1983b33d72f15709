import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { start } from './command.ts'

describe('disco config', () => {
  let directory: string
  let file: string
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'disco-config-'))
    file = join(directory, 'config.yaml')
  })
  after(() => rm(directory, { recursive: true }))

  it('prints what is in force, where it comes from, and warnings apart', async () => {
    await writeFile(file, 'redis:\n  addr: x\nlog:\n  level: warn\n')
    const { code, out, err } = await start(['config', '--config', file, '--port', '5'], { DISCO_NETWORK: 'private' }).ended
    assert.equal(code, 0)
    assert.match(out, /^ {2}port: 5 # --port$/m)
    assert.match(out, /^ {2}network: private # DISCO_NETWORK$/m)
    assert.ok(out.includes(`level: warn # ${file}:4:3\n`))
    assert.equal(err, `disco: ${file}:1:1: redis is left out: Disco keeps no cache in Redis\n`)
    const json = await start(['config', '--json', '--config', file]).ended
    assert.deepEqual((JSON.parse(json.out) as Record<string, unknown>)['log.level'], { value: 'warn', from: `${file}:4:3` })
  })

  it('tells all that is wrong, also what only the node knows of addresses, and ends with 1', async () => {
    await writeFile(file, 'storage: s3\nhttp:\n  tls:\n    certificate: c\nproxy:\nredis: {addr: x}\n')
    const { code, out, err } = await start(['config', '--config', file, '--listen', '/ip4/1.2.3/tcp/1']).ended
    assert.deepEqual([code, out], [1, ''])
    const lines = err.trimEnd().split('\n')
    assert.equal(lines.length, 4, err)
    assert.equal(lines[0], `disco: ${file}:6:1: redis is left out: Disco keeps no cache in Redis`)
    assert.match(lines[1] ?? '', /^disco: --listen: /)
    assert.equal(lines[2], `disco: ${file}:1:1: storage.s3 is not supported: Disco does not store in buckets yet`)
    assert.equal(lines[3], `disco: ${file}:4:5: http.tls.certificate: is a certificate without its key: add http.tls.key`)
  })
})
