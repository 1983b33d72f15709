import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { DataDirectory, DataDirectoryError } from '../../src/storage/data-directory.ts'

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
