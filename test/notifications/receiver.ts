import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import type { RegistryEvent } from '../../src/notifications/event.ts'

export interface Receiver {
  readonly url: string
  /** What it has taken, in the order of its coming. */
  readonly taken: RegistryEvent[]
  /** Headers of every request, also of those that it refused. */
  readonly headers: IncomingHttpHeaders[]
  /** What it answers from now on; below 300 it takes what comes. */
  status: number
  /** Where a redirect leads. */
  location: string | undefined
  /** How long it thinks, in milliseconds. */
  delay: number
}

/** A webhook that can be made to fail. */
export async function startReceiver(context: TestContext, port = 0): Promise<Receiver> {
  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    receiver.headers.push(request.headers)
    const { events } = (await json(request)) as { events: RegistryEvent[] }
    if (receiver.delay > 0) await new Promise((resolve) => setTimeout(resolve, receiver.delay).unref())
    if (receiver.status < 300) receiver.taken.push(...events)
    response.writeHead(receiver.status, receiver.location === undefined ? {} : { Location: receiver.location }).end()
  }
  const server = createServer((request, response) => void receive(request, response))
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  context.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const receiver: Receiver = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`, taken: [], headers: [], status: 200, location: undefined, delay: 0 }
  return receiver
}
