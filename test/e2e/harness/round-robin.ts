import { once } from 'node:events'
import { Agent, createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A proxy that sends each request to the next of several servers, whoever it comes from: nothing sticks. */
export class RoundRobin {
  readonly host: string
  readonly url: string
  /** Requests that each server got, by its place. */
  readonly counts: number[]
  readonly #server: Server
  readonly #agent: Agent

  private constructor(server: Server, agent: Agent, counts: number[]) {
    this.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
    this.url = `http://${this.host}`
    this.counts = counts
    this.#server = server
    this.#agent = agent
  }

  /** @param hosts `127.0.0.1:<port>` each */
  static async start(hosts: readonly string[]): Promise<RoundRobin> {
    const agent = new Agent({ keepAlive: true })
    const counts = hosts.map(() => 0)
    let turn = 0
    const server = createServer((incoming, outgoing) => {
      const place = turn++ % hosts.length
      counts[place] = (counts[place] ?? 0) + 1
      const [host, port] = (hosts[place] ?? '').split(':')
      const { method, url, rawHeaders } = incoming
      const passed = request({ agent, host, port, method, path: url, headers: rawHeaders, setHost: false })
      passed.on('response', (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
        answer.pipe(outgoing)
        answer.on('error', () => outgoing.destroy())
      })
      passed.on('error', () => outgoing.destroy())
      outgoing.on('close', () => passed.destroy())
      incoming.pipe(passed)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new RoundRobin(server, agent, counts)
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
    this.#agent.destroy()
  }
}
