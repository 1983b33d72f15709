import { request as send, type IncomingHttpHeaders } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { pino } from 'pino'
import { HttpServer, type HttpServerOptions } from '../../src/http/server.ts'
import { RegistryCore } from '../../src/registry/core.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'

export interface Face {
  readonly port: number
  readonly base: string
  readonly server: HttpServer
  readonly store: MemoryStore
  readonly registry: RegistryCore
}

/** A server over a store in memory, on a port of its own, stopped when the test is over. */
export async function startFace(context: TestContext, parts: (registry: RegistryCore) => Partial<HttpServerOptions> = () => ({})): Promise<Face> {
  const store = new MemoryStore()
  const registry = new RegistryCore(store)
  const server = new HttpServer({ registry, log: pino({ level: 'silent' }), ...parts(registry) })
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 })
  context.after(() => server.stop(0))
  return { port, base: `http://127.0.0.1:${port}`, server, store, registry }
}

/** A socket on which a client can misbehave. */
export async function dial(port: number, localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  socket.on('error', () => {})
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  return socket
}

/** Sends bytes as they are, and reads until the server closes. */
export async function talk(port: number, ...parts: readonly (string | Uint8Array)[]): Promise<string> {
  const socket = await dial(port)
  for (const part of parts) socket.write(part)
  return await text(socket)
}

/** A request from an address of this machine. */
export async function from(localAddress: string, { port }: Pick<Face, 'port'>, path: string, headers: IncomingHttpHeaders = {}): Promise<{ status: number | undefined; retryAfter: string | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const request = send({ host: '127.0.0.1', port, path, localAddress, agent: false, headers }, (answer) => {
      text(answer).then((body) => resolve({ status: answer.statusCode, retryAfter: answer.headers['retry-after'], body }), reject)
    })
    request.on('error', reject).end()
  })
}

export async function errorCodes(response: Response): Promise<string[]> {
  const body = (await response.json()) as { errors: { code: string; message: string }[] }
  return body.errors.map(({ code }) => code)
}

/** Longer than anything takes on a busy machine, in milliseconds. */
const FOR_EVER = 120_000

/** Until it holds. @throws Error when it never does */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + FOR_EVER
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`never held: ${holds}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
