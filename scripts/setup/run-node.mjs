import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { ENVIRONMENT, ROOT } from './root.mjs'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']

/**
 * In MB. A small nursery for new objects costs no time here and saves a quarter of the memory of a busy registry. Old
 * objects and buffers together may reach so much before V8 begins to adapt its limit, which it else sets so low that a
 * stream of blocks has it collecting all the time.
 */
const FLAGS = ['--max-semi-space-size=4', '--initial-old-space-size=128', '--disable-warning=ExperimentalWarning']

/**
 * Runs one of our programs and resolves with its exit code. Signals are passed on. The channel between the two closes
 * when this process dies, whatever it dies of, and tells the program to stop.
 */
export function run(node, [program, ...args]) {
  const child = spawn(node, [...FLAGS, join(ROOT, program), ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: ENVIRONMENT,
  })
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal))
  const watch = stopWithNpm(child)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      clearInterval(watch)
      if (child.connected) child.disconnect()
      resolve(code ?? 128 + constants.signals[signal])
    })
  })
}

/** npm killed by force passes no signal on; then this process, which it had started by `exec`, gets another parent. */
function stopWithNpm(child) {
  if (process.env.npm_lifecycle_event === undefined) return undefined
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid !== parent) child.kill('SIGTERM')
  }, 1_000)
  return watch.unref()
}
