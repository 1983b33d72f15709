import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TOOL_PATH } from './command.ts'
import { unusedPort } from './disco.ts'
import type { Scene } from './scene.ts'
import { until } from './until.ts'

const READY_MS = 10_000

/** Debian's haproxy before several servers, as docs/operations.md has it: each request goes to the next one that is ready. */
export class HAProxy {
  readonly host: string
  readonly url: string
  readonly #statistics: string

  private constructor(host: string, statistics: string) {
    this.host = host
    this.url = `http://${host}`
    this.#statistics = statistics
  }

  /**
   * Runs until the scene ends.
   *
   * @param hosts `127.0.0.1:<port>` each
   */
  static async start(scene: Scene, hosts: readonly string[]): Promise<HAProxy> {
    const [port, statistics] = [await unusedPort(), await unusedPort()]
    const config = join(scene.directory, 'haproxy.cfg')
    await writeFile(config, [
      'defaults',
      '  mode http',
      '  timeout connect 2s',
      '  timeout client 5m',
      '  timeout server 5m',
      '  timeout check 5s',
      '  option redispatch 1',
      'frontend statistics',
      `  bind 127.0.0.1:${statistics}`,
      '  stats enable',
      '  stats uri /',
      'frontend registry',
      `  bind 127.0.0.1:${port}`,
      '  default_backend discos',
      'backend discos',
      '  balance roundrobin',
      '  option httpchk GET /readyz',
      '  default-server check inter 1s fall 2 rise 1',
      ...hosts.map((host, place) => `  server disco${place} ${host}`),
      '',
    ].join('\n'))
    const child = spawn('haproxy', ['-db', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, PATH: TOOL_PATH } })
    let said = ''
    child.on('error', (error) => (said += error.message))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)))
    scene.atEnd(() => ended(child))
    const proxy = new HAProxy(`127.0.0.1:${port}`, `http://127.0.0.1:${statistics}/;csv`)
    await until(async () => (await fetch(`${proxy.url}/readyz`)).ok, { what: 'haproxy has a server', timeout: READY_MS }).catch((cause: unknown) => {
      throw new Error(`haproxy did not start:\n${said}`, { cause })
    })
    return proxy
  }

  /** Requests that each server got, by its place. */
  async counts(): Promise<number[]> {
    const [head = '', ...lines] = (await (await fetch(this.#statistics)).text()).trim().split('\n')
    const columns = head.replace('# ', '').split(',')
    const rows = lines.map((line) => line.split(','))
    const of = (row: readonly string[], column: string): string => row[columns.indexOf(column)] ?? ''
    return rows.filter((row) => of(row, 'svname').startsWith('disco')).map((row) => Number(of(row, 'stot')))
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}
