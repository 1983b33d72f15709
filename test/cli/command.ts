import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after } from 'node:test'
import type { Readable } from 'node:stream'

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')
/** Private, on loopback, on free ports. */
export const LOCAL: readonly string[] = ['--host', '127.0.0.1', '--port', '0', '--network', 'private', '--listen', '/ip4/127.0.0.1/tcp/0']

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  /** Resolves with the address, once it serves. */
  readonly address: Promise<string>
}

/** Runs the command; what is left of it when the test is over, because it failed, must not keep the others waiting. */
export function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, ...env },
  }) as ChildProcessByStdio<null, Readable, Readable>
  after(() => void child.kill('SIGKILL'))
  let out = ''
  let err = ''
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  promise.catch(() => undefined)
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
    const address = /^registry +(\S+)$/m.exec(out)?.[1]
    if (address !== undefined) resolve(address)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  // not its `close`, which never comes once its channel was disconnected
  const ended = Promise.all([once(child, 'exit'), once(child.stdout, 'close'), once(child.stderr, 'close')]).then(([[code]]) => {
    reject(new Error(`it ended: ${out}${err}`))
    return { code: code as number | null, out, err }
  })
  return { child, ended, address: promise }
}

export function run(...args: string[]): Promise<Ended> {
  return start(args).ended
}
