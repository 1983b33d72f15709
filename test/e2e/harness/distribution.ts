import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TOOL_PATH } from './command.ts'
import { unusedPort } from './disco.ts'
import type { Scene } from './scene.ts'

/** Debian's package of version 2, and version 3. */
export type DistributionProgram = 'docker-registry' | 'registry'

export interface DistributionServer {
  readonly host: string
  readonly url: string
  /** Its configuration file. */
  readonly config: string
  stop(): Promise<void>
}

const READY_MS = 30_000

/**
 * Starts Distribution on a directory, as its sample configuration has it, until the scene ends.
 *
 * @param root the directory, or what it has in its configuration for storage
 */
export async function startDistribution(scene: Scene, program: DistributionProgram, root: string | object): Promise<DistributionServer> {
  const port = await unusedPort()
  const config = join(scene.directory, `${program}-${port}.yml`)
  await writeFile(config, [
    'version: 0.1',
    'log: { level: error, accesslog: { disabled: true } }',
    `storage: ${JSON.stringify({ ...(typeof root === 'string' ? { filesystem: { rootdirectory: root } } : root), delete: { enabled: true }, redirect: { disable: true } })}`,
    `http: { addr: "127.0.0.1:${port}", secret: "one for all of this suite" }`,
    '',
  ].join('\n'))
  // Version 3 else looks for a collector of traces.
  const env = { ...process.env, PATH: TOOL_PATH, OTEL_TRACES_EXPORTER: 'none' }
  const child = spawn(program, ['serve', config], { stdio: ['ignore', 'ignore', 'pipe'], env })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text))
  const closed = once(child, 'close')
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await closed
  }
  scene.atEnd(stop)
  const url = `http://127.0.0.1:${port}`
  for (const deadline = Date.now() + READY_MS; ; await sleep(20)) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`${program} did not start:\n${log}`)
    const response = await fetch(`${url}/v2/`).catch(() => undefined)
    await response?.body?.cancel()
    if (response?.status === 200) return { host: `127.0.0.1:${port}`, url, config, stop }
  }
}
