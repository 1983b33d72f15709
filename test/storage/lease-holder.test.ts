import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readlinkSync } from 'node:fs'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { isHeld } from '../../src/storage/embedded/lease.ts'

const NEEDS_PROC = process.platform === 'linux' ? false : 'needs /proc'

describe('a lease', () => {
  it('is not held by a zombie', { skip: NEEDS_PROC }, async () => {
    // The child's parent becomes a program that never looks after it.
    const parent = spawn('bash', ['-c', 'sleep 60 >&- & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] })
    try {
      const pid = Number(String((await once(parent.stdout, 'data'))[0]))
      const lease = { holder: holderOf(pid), until: Date.now() + 60_000 }
      assert.equal(isHeld(lease), true)
      process.kill(pid, 'SIGKILL')
      while (fieldsOf(pid)[0] !== 'Z') await sleep(10)
      assert.equal(isHeld(lease), false)
    } finally {
      parent.kill('SIGKILL')
    }
  })
})

function holderOf(pid: number): string {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return `${boot}/${readlinkSync('/proc/self/ns/pid')}/${pid}/${fieldsOf(pid)[19]}/0`
}

function fieldsOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}
