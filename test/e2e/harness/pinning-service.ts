import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Kubo } from './kubo.ts'

interface Pin {
  readonly cid: string
  readonly name?: string
  readonly origins?: readonly string[]
}

interface PinStatus {
  readonly requestid: string
  status: 'queued' | 'pinning' | 'pinned' | 'failed'
  readonly created: string
  readonly pin: Pin
  readonly delegates: readonly string[]
}

/** The IPFS Pinning Service API 1.0.0 (ipfs.github.io/pinning-services-api-spec) in front of a Kubo that really pins. */
export class PinningServer {
  readonly token: string = randomUUID()
  /** Answers everything with this status, where it is set. */
  failing: number | undefined
  /** What it does with new requests. @default it pins */
  hold: Promise<void> | undefined
  url = ''
  readonly #kubo: Kubo
  readonly #pins = new Map<string, PinStatus>()
  readonly #server: Server

  private constructor(kubo: Kubo) {
    this.#kubo = kubo
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => fail(response, 500, String(error)))
    })
  }

  static async start(kubo: Kubo): Promise<PinningServer> {
    const service = new PinningServer(kubo)
    await new Promise<void>((resolve) => service.#server.listen(0, '127.0.0.1', resolve))
    service.url = `http://127.0.0.1:${(service.#server.address() as AddressInfo).port}`
    return service
  }

  get pins(): readonly PinStatus[] {
    return [...this.#pins.values()]
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', this.url)
    const [, , id] = pathname.split('/')
    if (this.failing !== undefined) return fail(response, this.failing, 'OUT_OF_ORDER')
    if (request.headers.authorization !== `Bearer ${this.token}`) return fail(response, 401, 'UNAUTHORIZED')
    if (!/^\/pins(\/|$)/.test(pathname)) return fail(response, 404, 'NOT_FOUND')
    if (request.method === 'POST' && !id) return reply(response, 202, this.#add(JSON.parse(await textOf(request)) as Pin))
    if (request.method === 'GET' && !id) return reply(response, 200, this.#list(searchParams))
    const known = this.#pins.get(id ?? '')
    if (known === undefined) return fail(response, 404, 'NOT_FOUND')
    if (request.method === 'GET') return reply(response, 200, known)
    if (request.method !== 'DELETE') return fail(response, 400, 'BAD_REQUEST')
    this.#pins.delete(known.requestid)
    if (known.status === 'pinned') await this.#kubo.ipfs('pin', 'rm', known.pin.cid)
    response.writeHead(202).end()
  }

  #add(pin: Pin): PinStatus {
    const status: PinStatus = { requestid: randomUUID(), status: 'queued', created: new Date().toISOString(), pin, delegates: this.#kubo.addresses }
    this.#pins.set(status.requestid, status)
    void this.#pin(status)
    return { ...status }
  }

  /** "If status is omitted, only pinned" */
  #list(query: URLSearchParams): { count: number; results: PinStatus[] } {
    const [cids, states] = [query.get('cid')?.split(','), (query.get('status') ?? 'pinned').split(',')]
    const name = query.get('name')
    const results = this.pins.filter(({ status, pin }) => states.includes(status) && (cids?.includes(pin.cid) ?? true) && (name === null || pin.name === name))
    return { count: results.length, results: results.slice(0, Number(query.get('limit') ?? 10)) }
  }

  async #pin(status: PinStatus): Promise<void> {
    await this.hold
    status.status = 'pinning'
    try {
      for (const origin of status.pin.origins ?? []) await this.#kubo.ipfs('swarm', 'connect', origin).catch(() => {})
      await this.#kubo.ipfs('pin', 'add', '--name', status.pin.name ?? '', status.pin.cid)
      status.status = 'pinned'
    } catch {
      status.status = 'failed'
    }
  }
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}

function fail(response: ServerResponse, status: number, reason: string): void {
  reply(response, status, { error: { reason } })
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
