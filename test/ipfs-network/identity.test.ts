import { execFile } from 'node:child_process'
import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { loadIdentity } from '../../src/ipfs/embedded/identity.ts'

const MODULE = new URL('../../src/ipfs/embedded/identity.ts', import.meta.url).href
const PRINT = `import(${JSON.stringify(MODULE)}).then(async (m) => console.log((await m.loadIdentity(process.argv[1])).publicKey.toString()))`

describe('identity', () => {
  let parent = ''
  before(async () => {
    parent = await mkdtemp(join(tmpdir(), 'disco-identity-'))
  })
  after(() => rm(parent, { recursive: true }))

  it('is made once, also by processes that start together, and is nobody else\'s to read', async () => {
    const directory = join(parent, 'fresh')
    const starts = Array.from({ length: 3 }, () => promisify(execFile)(process.execPath, ['-e', PRINT, directory]))
    const keys = new Set((await Promise.all(starts)).map(({ stdout }) => stdout.trim()))
    keys.add((await loadIdentity(directory)).publicKey.toString())
    assert.equal(keys.size, 1)
    assert.deepEqual(await readdir(directory), ['identity.key'])
    assert.equal((await stat(join(directory, 'identity.key'))).mode & 0o777, 0o600)
  })

  it('is never replaced when it can\'t be read', async () => {
    await writeFile(join(parent, 'identity.key'), 'no key')
    await assert.rejects(loadIdentity(parent), /is not a libp2p private key/)
  })
})
