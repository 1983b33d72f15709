import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const SCRIPT = fileURLToPath(new URL('./fill-disk.ts', import.meta.url))

function canMount(): boolean {
  try {
    execFileSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

describe('a full disk', { skip: canMount() ? false : 'needs mount namespaces' }, () => {
  for (const kind of ['embedded', 'filesystem']) it(`takes no uploads, lets objects be deleted and uploads be cancelled, also empty ones, and then takes uploads again: ${kind}`, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'disco-full-'))
    try {
      const command = `mount -t tmpfs -o size=12m tmpfs "$1" && exec "$2" --disable-warning=ExperimentalWarning "$3" "$1/data" "$1/other" ${kind}`
      const { stdout } = await run('unshare', ['-rm', 'sh', '-c', command, 'sh', directory, process.execPath, SCRIPT], { timeout: 60_000 })
      assert.equal(stdout.trim(), 'full, deleted, cancelled, full, cancelled, taken')
    } finally {
      await rm(directory, { recursive: true })
    }
  })
})
