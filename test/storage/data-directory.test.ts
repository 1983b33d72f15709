import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { DataDirectory, DataDirectoryError } from '../../src/storage/data-directory.ts'
import { EmbeddedStore } from '../../src/storage/embedded/store.ts'

describe('DataDirectory', () => {
  it('is one Disco\'s until it is released', () => {
    const parent = mkdtempSync(join(tmpdir(), 'disco-data-'))
    try {
      const path = join(parent, 'a/b')
      const mine = DataDirectory.claim(path)
      mine.announce('http://localhost:1')
      assert.throws(() => DataDirectory.claim(path), { name: 'DataDirectoryError', message: /process \d+ at http:\/\/localhost:1/ })
      mine.release()
      DataDirectory.claim(path).release()
    } finally {
      rmSync(parent, { recursive: true })
    }
  })

  it('is its owner\'s alone where Disco makes it, with all files of the database', async () => {
    const parent = mkdtempSync(join(tmpdir(), 'disco-data-'))
    const before = process.umask(0o022)
    try {
      const path = join(parent, 'a/b')
      const directory = DataDirectory.claim(path)
      const store = await EmbeddedStore.open(path)
      await store.commit({ changes: [{ put: 'x', data: Buffer.from('x') }] })
      const mode = (name: string): number => statSync(join(path, name)).mode & 0o777
      assert.deepEqual(['.', 'blobs'].map(mode), [0o700, 0o700])
      for (const file of ['running.json', 'disco.db', 'disco.db-wal', 'disco.db-shm']) assert.equal(mode(file), 0o600, file)
      await store.close()
      directory.release()
    } finally {
      process.umask(before)
      rmSync(parent, { recursive: true })
    }
  })

  it('is a directory', () => {
    const parent = mkdtempSync(join(tmpdir(), 'disco-data-'))
    const path = join(parent, 'file')
    try {
      writeFileSync(path, '')
      for (const wrong of [path, join(path, 'below')]) assert.throws(() => DataDirectory.claim(wrong), /cannot use the data directory \S+file\S*: .*not a directory/)
    } finally {
      rmSync(parent, { recursive: true })
    }
  })

  it('is not kept by a claim that failed', () => {
    const path = mkdtempSync(join(tmpdir(), 'disco-data-'))
    try {
      mkdirSync(join(path, 'running.json'))
      assert.throws(() => DataDirectory.claim(path), DataDirectoryError)
      rmdirSync(join(path, 'running.json'))
      DataDirectory.claim(path).release()
    } finally {
      rmSync(path, { recursive: true })
    }
  })
})
