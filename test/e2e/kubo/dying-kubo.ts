import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Whether a call changes something. */
const CHANGES = /^\/api\/v0\/(?:add|block\/(?:put|rm)|dag\/(?:import|put)|files\/(?:chcid|cp|flush|mkdir|mv|rm|write)|pin\/(?:add|rm|update))\b/

/** A way to a Kubo's RPC that is cut after a number of calls that change something: before the last reaches Kubo, or before its answer comes back. */
export class DyingKubo {
  url = ''
  /** Of all kinds, and of those that change something. */
  calls = 0
  changes = 0
  readonly commands: string[] = []
  readonly #target: string
  /** A number of calls, or which. */
  readonly #last: number | RegExp
  readonly #answered: boolean
  readonly #server: Server
  #cut = false

  private constructor(target: string, last: number | RegExp, answered: boolean) {
    this.#target = target
    this.#last = last
    this.#answered = answered
    this.#server = createServer((asked, answer) => this.#pass(asked, answer))
  }

  /** @param last the call that is not answered any more, by its number among those that change something or by what its URL says. @param reached whether Kubo still gets it */
  static async before(target: string, last: number | RegExp = Infinity, reached = false): Promise<DyingKubo> {
    const way = new DyingKubo(target, last, reached)
    way.#server.listen(0, '127.0.0.1')
    await once(way.#server, 'listening')
    way.url = `http://127.0.0.1:${(way.#server.address() as AddressInfo).port}`
    return way
  }

  get dead(): boolean {
    return this.#cut || (typeof this.#last === 'number' && this.changes >= this.#last)
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #pass(asked: IncomingMessage, answer: ServerResponse): void {
    const path = asked.url ?? '/'
    const isChange = CHANGES.test(path)
    if (this.dead) {
      asked.socket.destroy()
      return
    }
    this.calls++
    const command = path.slice('/api/v0/'.length).replace(/\?.*/, '')
    this.commands.push(command)
    if (isChange) this.changes++
    if (this.#last instanceof RegExp && this.#last.test(path)) this.#cut = true
    if (this.dead && !this.#answered) {
      asked.socket.destroy()
      return
    }
    const cut = this.dead
    const passed = request(new URL(path, this.#target), { method: 'POST', headers: { ...asked.headers, host: new URL(this.#target).host } })
    asked.pipe(passed)
    passed.on('error', () => answer.destroy())
    passed.on('response', (response) => {
      response.on('error', () => answer.destroy())
      if (cut) {
        response.resume().on('close', () => asked.socket.destroy())
        return
      }
      answer.writeHead(response.statusCode ?? 500, response.headers)
      response.on('end', () => {
        if (response.trailers['x-stream-error'] !== undefined) answer.addTrailers({ 'x-stream-error': response.trailers['x-stream-error'] })
      })
      response.pipe(answer)
    })
  }
}
