import { pino } from 'pino'
import { HttpServer } from '../../../src/http/server.ts'
import { RegistryCore } from '../../../src/registry/core.ts'
import type { ObjectStore } from '../../../src/storage/object-store.ts'

export interface RegistryFace {
  readonly host: string
  readonly url: string
  stop(): Promise<void>
}

/** A plain registry of ours over a store, without IPFS. */
export async function startRegistryFace(store: ObjectStore): Promise<RegistryFace> {
  const server = new HttpServer({ registry: new RegistryCore(store), log: pino({ level: 'silent' }) })
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 })
  return { host: `127.0.0.1:${port}`, url: `http://127.0.0.1:${port}`, stop: () => server.stop(0) }
}
