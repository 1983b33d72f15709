import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { runClient } from './client.ts'
import { MANIFEST } from './jobs.ts'
import { AUTHORIZATION } from './login.ts'

const run = promisify(execFile)

/** Requests a second that are answered with 200, by wrk where it is installed, else by a client of our own. */
export async function hammer(port: number, path: string, connections: number, seconds: number): Promise<number> {
  if (!(await wrkInstalled())) {
    return (await runClient<'hammer'>({ kind: 'hammer', port, path, connections, seconds })).perSecond
  }
  const url = `http://127.0.0.1:${port}${path}`
  const { stdout } = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '-H', `Accept: ${MANIFEST}`, '-H', `Authorization: ${AUTHORIZATION}`, url])
  if (stdout.includes('Non-2xx') || stdout.includes('Socket errors')) throw new Error(`wrk ${url}: ${stdout}`)
  return Number(/^Requests\/sec:\s+([\d.]+)/m.exec(stdout)?.[1])
}

export async function wrkInstalled(): Promise<boolean> {
  // Without arguments it tells its usage and leaves with 1.
  return await run('wrk').then(() => true, (error: NodeJS.ErrnoException) => error.code !== 'ENOENT')
}
