import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CID } from 'multiformats/cid'
import type { Logger } from '../../src/telemetry/logger.ts'
import { createGateway } from '../../src/http/gateway.ts'
import { RequestListener as Listener } from '../../src/http/request-listener.ts'
import { RegistryCore } from '../../src/registry/core.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import type { BlockReader } from '../../src/ipfs/node.ts'

interface Test {
  after(close: () => Promise<void>): void
}

export interface RunningServer {
  readonly url: URL
  readonly server: Server
}

export async function serve(test: Test, listener: RequestListener): Promise<RunningServer> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  test.after(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { server, url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`) }
}

/** The real gateway over `blocks`. */
export function serveBlocks(test: Test, blocks: BlockReader, log: Logger = silent): Promise<RunningServer> {
  const listener = new Listener({ registry: new RegistryCore(new MemoryStore()), log, gateway: createGateway(blocks) })
  return serve(test, (request, response) => listener.handle(request, response, false))
}

/** Blocks in memory, by their multihash. */
export class Blocks implements BlockReader {
  readonly #blocks = new Map<string, Uint8Array>()

  put(cid: CID, bytes: Uint8Array): CID {
    this.#blocks.set(keyOf(cid), bytes)
    return cid
  }

  async get(cid: CID): Promise<Uint8Array | undefined> {
    if (cid.multihash.code === 0) return cid.multihash.digest
    const bytes = this.#blocks.get(keyOf(cid))
    return bytes === undefined ? undefined : new Uint8Array(bytes)
  }

  async has(cid: CID): Promise<boolean> {
    return (await this.get(cid)) !== undefined
  }

  delete(cid: CID): void {
    this.#blocks.delete(keyOf(cid))
  }

  get size(): number {
    return this.#blocks.size
  }
}

function keyOf(cid: CID): string {
  return Buffer.from(cid.multihash.bytes).toString('hex')
}

export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }
