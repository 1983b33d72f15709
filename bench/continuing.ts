import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from './server.ts'

export interface Continuing {
  /** `127.0.0.1:<port>` */
  readonly host: string
  stop(): Promise<void>
}

/** Debian's haproxy before an S3 server, which says "100 Continue" to whoever waits for that, however he wrote it. */
export async function continuing(host: string, directory: string): Promise<Continuing> {
  const port = await freePort()
  const config = join(directory, 'haproxy.cfg')
  await writeFile(config, [
    'defaults',
    '  mode http',
    '  timeout connect 2s',
    '  timeout client 5m',
    '  timeout server 5m',
    '  option http-buffer-request',
    'frontend bucket',
    `  bind 127.0.0.1:${port}`,
    '  default_backend s3',
    'backend s3',
    `  server s3 ${host}`,
    '',
  ].join('\n'))
  const child = spawn('haproxy', ['-db', '-f', config], { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` } })
  await once(child, 'spawn')
  return {
    host: `127.0.0.1:${port}`,
    async stop() {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
  }
}
