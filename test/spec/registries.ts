import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDisco, type Config } from '../../src/disco.ts'
import { HttpServer } from '../../src/http/server.ts'
import { RegistryCore } from '../../src/registry/core.ts'
import { uploadPlaces } from '../../src/registry/paths.ts'
import { EmbeddedStore } from '../../src/storage/embedded/store.ts'
import { FilesystemStore } from '../../src/storage/filesystem/store.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'
import { silentLogger } from '../../src/telemetry/create-logger.ts'

export interface RunningRegistry {
  readonly base: string
  stop(): Promise<void>
}

export interface RegistryPolicy {
  readonly deletes: boolean
}

export type StartRegistry = (policy: RegistryPolicy) => Promise<RunningRegistry>

/** Every store, with the global service around the registry and without. */
export const REGISTRIES: Readonly<Record<string, StartRegistry>> = {
  'a plain registry on the embedded store': plain(async (directory) => {
    const store = await EmbeddedStore.open(directory)
    return { store, close: () => store.close() }
  }),
  'a plain registry on a directory': plain(async (directory) => {
    const store = await FilesystemStore.open(directory, { places: uploadPlaces })
    return { store, close: () => store.close() }
  }),
  'a plain registry in memory': plain(async () => ({ store: new MemoryStore(), close: async () => {} })),
  'Disco on the embedded store': disco(() => ({})),
  'Disco on a directory': disco((directory) => ({ storageFilesystem: join(directory, 'registry') })),
  'Disco in memory': disco(() => ({ storageInmemory: true })),
}

interface OpenStore {
  readonly store: ObjectStore
  close(): Promise<void>
}

export function plain(open: (directory: string) => Promise<OpenStore>): StartRegistry {
  return async (policy) => {
    const directory = await mkdtemp(join(tmpdir(), 'disco-spec-'))
    const { store, close } = await open(directory)
    const server = new HttpServer({ registry: new RegistryCore(store), policy, log: silentLogger() })
    const { port } = await server.listen({ host: '127.0.0.1', port: 0 })
    const stop = async (): Promise<void> => {
      await server.stop(0)
      await close()
      await rm(directory, { recursive: true })
    }
    return { base: `http://127.0.0.1:${port}`, stop }
  }
}

export function disco(storage: (directory: string) => Partial<Config>): StartRegistry {
  return async ({ deletes }) => {
    const directory = await mkdtemp(join(tmpdir(), 'disco-spec-'))
    const instance = await createDisco({
      data: join(directory, 'data'), host: '127.0.0.1', port: 0, network: 'private', listen: ['/ip4/127.0.0.1/tcp/0'], deleteEnabled: deletes, ...storage(directory),
    })
    const stop = async (): Promise<void> => {
      await instance.stop()
      await rm(directory, { recursive: true })
    }
    return { base: await instance.start(), stop }
  }
}
