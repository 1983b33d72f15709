import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Scene } from './scene.ts'

export interface Provider {
  readonly peerId: string
  /** Multiaddrs without the peer id. */
  readonly addresses: readonly string[]
}

export interface DelegatedRouter {
  readonly url: string
  /** The CIDs that it was asked about. */
  readonly asked: ReadonlySet<string>
}

/** A delegated router (`/routing/v1/providers/<cid>`) that names one provider for everything, until the scene ends. */
export async function startRouter(scene: Scene, { peerId, addresses }: Provider): Promise<DelegatedRouter> {
  const asked = new Set<string>()
  const answer = JSON.stringify({ Schema: 'peer', ID: peerId, Addrs: addresses })
  const server = createServer((request, response) => {
    const cid = /^\/routing\/v1\/providers\/(\w+)/.exec(request.url ?? '')?.[1]
    if (cid === undefined) {
      response.writeHead(404).end()
      return
    }
    asked.add(cid)
    response.writeHead(200, { 'content-type': 'application/x-ndjson' }).end(`${answer}\n`)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  scene.atEnd(async () => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}
