import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { ROOT } from './root.mjs'

const LOCK = join(ROOT, '.node', 'lock')

/** Runs `work` while no other process of this clone does: two starts at once must not install over each other. */
export async function exclusively(work) {
  mkdirSync(join(ROOT, '.node'), { recursive: true })
  while (!take()) {
    if (abandoned()) rmSync(LOCK, { recursive: true, force: true })
    else await setTimeout(200)
  }
  try {
    return work()
  } finally {
    rmSync(LOCK, { recursive: true, force: true })
  }
}

function take() {
  try {
    mkdirSync(LOCK)
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
  writeFileSync(join(LOCK, 'pid'), String(process.pid))
  return true
}

/** Whoever took it is gone. Without a pid it was taken a moment ago, or by a process that died right there. */
function abandoned() {
  try {
    const pid = Number(readFileSync(join(LOCK, 'pid'), 'utf8'))
    if (pid > 0) return !isAlive(pid)
    return Date.now() - statSync(LOCK).mtimeMs > 5_000
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    const since = statSync(LOCK, { throwIfNoEntry: false })?.mtimeMs
    return since !== undefined && Date.now() - since > 5_000
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
