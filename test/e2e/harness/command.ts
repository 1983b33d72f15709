import { spawn } from 'node:child_process'
import { join } from 'node:path'

export const ROOT: string = join(import.meta.dirname, '../../..')

/** Go programs that test/tools/install put there come first. */
export const TOOL_PATH: string = `${join(ROOT, '.tools/bin')}:${process.env['PATH']}:/usr/sbin:/sbin`

export interface CommandResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Milliseconds; then the command is killed and counts as failed. @default 180000 */
  readonly timeout?: number
  /** What `run` gives: standard output, or what went to standard error after it. @default false */
  readonly both?: boolean
}

/** Runs a command to its end, whatever its exit code is. */
export function attempt(command: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? ROOT,
      env: { ...process.env, PATH: TOOL_PATH, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeout ?? 180_000,
      killSignal: 'SIGKILL',
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}

/**
 * Runs a command that must succeed, and gives what it wrote, trimmed.
 *
 * @throws Error with the command and all that it said
 */
export async function run(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await attempt(command, args, options)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${code}\n${stdout}${stderr}`)
  return (options.both === true ? stdout + stderr : stdout).trim()
}
