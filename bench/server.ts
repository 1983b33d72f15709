import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { AUTHORIZATION } from './login.ts'
import { peakMemory } from './processes.ts'
import type { Kubo } from '../test/e2e/harness/kubo.ts'

const START_TIME_MS = 30_000
const STOP_TIME_MS = 15_000

export interface Command {
  readonly file: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** A registry at work on 127.0.0.1. */
export interface Server {
  readonly port: number
  readonly dataDirectory: string
  /** Of its first process. */
  readonly pid: number
  /** Where it keeps its images, if it does. */
  readonly kubo?: Kubo
  /** Of the S3 server where it keeps them. */
  readonly bucketPid?: number
  /** Everything that it has written to standard output and error so far. */
  output(): string
  /** Peak resident memory of each of its processes, in bytes. */
  peakMemory(): Promise<number[]>
  stop(): Promise<void>
}

/** Starts a registry and waits until it answers. @throws Error with its output when it does not */
export async function startServer(port: number, dataDirectory: string, { file, args, env }: Command): Promise<Server> {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => { output = (output + data.toString()).slice(-64 * 1024) })
  const failed = once(child, 'error').then(([error]) => { throw error as Error })
  failed.catch(() => {})
  try {
    await Promise.race([failed, answers(child, port)])
  } catch (cause) {
    await stop(child)
    throw new Error(`${file} did not start: ${output}`, { cause })
  }
  return { port, dataDirectory, pid: child.pid ?? 0, output: () => output, peakMemory: () => peakMemory(child.pid ?? 0), stop: () => stop(child) }
}

/** A port of 127.0.0.1 that was free just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function answers(child: ChildProcess, port: number): Promise<void> {
  for (const end = Date.now() + START_TIME_MS; Date.now() < end; await sleep(50)) {
    if (child.exitCode !== null) throw new Error(`left with ${child.exitCode}`)
    const response = await fetch(`http://127.0.0.1:${port}/v2/`, { headers: { Authorization: AUTHORIZATION } }).catch(() => undefined)
    await response?.arrayBuffer()
    if (response?.ok === true) return
  }
  throw new Error(`no answer within ${START_TIME_MS} ms`)
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIME_MS)
  await exited
  clearTimeout(timer)
}
