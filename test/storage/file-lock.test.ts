import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { FileLock } from '../../src/storage/file-lock.ts'

describe('a file lock', () => {
  let directory: string
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'disco-lock-'))
  })
  after(() => rm(directory, { recursive: true }))

  it('is one\'s at a time, also within a process, and leaves nothing but its file', async () => {
    const [one, two] = [new FileLock(join(directory, 'lock')), new FileLock(join(directory, 'lock'))]
    assert.equal(one.tryTake(), true)
    assert.equal(two.tryTake(), false)
    assert.deepEqual(await readdir(directory), ['lock'])
    one.release()
    assert.equal(two.tryTake(), true)
    assert.equal(one.tryTake(), false)
    two.close()
    assert.equal(one.tryTake(), true)
    one.close()
  })

  it('goes with the process that has it', async () => {
    const path = join(directory, 'other')
    const holder = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'file-lock-holder.ts'), path], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(holder.stdout, 'data')
    const lock = new FileLock(path)
    assert.equal(lock.tryTake(), false)
    holder.kill('SIGKILL')
    await once(holder, 'close')
    assert.equal(lock.tryTake(), true)
    lock.close()
  })
})
