import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ROOT } from './command.ts'
import { unusedPort } from './disco.ts'

const TOXIPROXY = join(ROOT, '.tools/bin/toxiproxy-server')
const READY_MS = 10_000

/** What toxiproxy does to bytes on their way: https://github.com/Shopify/toxiproxy#toxics. */
export interface Toxic {
  readonly type: 'latency' | 'bandwidth' | 'slow_close' | 'timeout' | 'reset_peer' | 'slicer' | 'limit_data'
  /** To the client, or to the server. */
  readonly stream: 'downstream' | 'upstream'
  readonly attributes: Readonly<Record<string, number>>
  /** The part of the connections that it happens to. @default 1 */
  readonly toxicity?: number
}

/** A real network with faults, on loopback, before one server. */
export class Toxiproxy {
  readonly host: string
  readonly #api: string
  readonly #process: ChildProcess

  private constructor(host: string, api: string, child: ChildProcess) {
    this.host = host
    this.#api = api
    this.#process = child
  }

  /** @param upstream `127.0.0.1:9000` */
  static async before(upstream: string): Promise<Toxiproxy> {
    const [port, api] = [await unusedPort(), await unusedPort()]
    const child = spawn(TOXIPROXY, ['-host', '127.0.0.1', '-port', String(api)], { stdio: 'ignore', env: { ...process.env, LOG_LEVEL: 'error' } })
    const proxy = new Toxiproxy(`127.0.0.1:${port}`, `http://127.0.0.1:${api}`, child)
    for (const deadline = Date.now() + READY_MS; !(await fetch(`${proxy.#api}/version`).then(({ ok }) => ok, () => false)); await sleep(10)) {
      if (child.exitCode !== null || Date.now() > deadline) throw new Error('toxiproxy did not start')
    }
    await proxy.#ask('POST', '/proxies', { name: 'way', listen: proxy.host, upstream })
    return proxy
  }

  /** Does `work` with a fault. */
  async with<T>(toxic: Toxic, work: () => Promise<T>): Promise<T> {
    await this.#ask('POST', '/proxies/way/toxics', { name: 'fault', ...toxic })
    try {
      return await work()
    } finally {
      await this.#ask('DELETE', '/proxies/way/toxics/fault')
    }
  }

  async remove(): Promise<void> {
    this.#process.kill('SIGKILL')
    if (this.#process.exitCode === null && this.#process.signalCode === null) await once(this.#process, 'exit')
  }

  async #ask(method: string, path: string, body?: object): Promise<void> {
    const answer = await fetch(`${this.#api}${path}`, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
    if (!answer.ok) throw new Error(`toxiproxy: ${await answer.text()}`)
    await answer.body?.cancel()
  }
}
