import { rm } from 'node:fs/promises'
import { createAccess } from './assembly/access.ts'
import { BUCKET_CHECKS } from './assembly/bucket.ts'
import { FILE_CHECKS } from './assembly/file-checks.ts'
import { noteStorage } from './assembly/last-storage.ts'
import { forwarding, NETWORK_CHECKS } from './assembly/network.ts'
import { createNotifications, reporting } from './assembly/notifications.ts'
import { Observability } from './assembly/observability.ts'
import { createCore, policyOf } from './assembly/registry.ts'
import { freeSpaceOf } from './assembly/free-space.ts'
import { addressOf, createServer, SERVER_CHECKS } from './assembly/server.ts'
import { openStorage } from './assembly/storage.ts'
import { createUpkeep } from './assembly/upkeep.ts'
import { completeConfig, type Checks } from './config/load.ts'
import type { Config } from './config/options.ts'
import type { DiscoService } from './global/disco-service.ts'
import { GlobalRegistry } from './global/global-registry.ts'
import { createGateway } from './http/gateway.ts'
import { Upstream } from './http/upstream.ts'
import type { NodeInfo, OuterNode } from './ipfs/node.ts'
import type { Registry } from './registry/registry.ts'
import { DataDirectory } from './storage/data-directory.ts'
import { silentLogger } from './telemetry/create-logger.ts'
import type { Logger } from './telemetry/logger.ts'
import type { Rotation } from './telemetry/health.ts'
import type { MetricsSnapshot } from './telemetry/metrics.ts'
import type { OtherProcesses } from './telemetry/other-processes.ts'

export type { Config, DiscoService, Logger, NodeInfo, OuterNode, Registry }

export interface DiscoOptions extends Partial<Config> {
  /** @default one that says nothing */
  readonly log?: Logger | undefined
  /** Where several processes serve one data directory: answer on this socket, for the others, and not on a port. */
  readonly socket?: string | undefined
  /** … and in the others: no network of one's own, but that of the process that answers on this socket. */
  readonly upstream?: string | undefined
  /** What tells this process from those others in metrics. @default main */
  readonly processName?: string | undefined
  /** Those others, where this one has the debug address of all. */
  readonly others?: OtherProcesses | undefined
}

export interface StartOptions {
  /** Told about the IPFS node once it runs, before the first request can be answered; undefined where another process has it, or others are it: these. */
  readonly onNode?: (info: NodeInfo | undefined, others: readonly OuterNode[]) => void
}

/** A registry with its IPFS node. */
export interface Disco {
  /** What Disco adds to a registry: make global, clone. */
  readonly service: DiscoService
  /** The registry itself, without HTTP. */
  readonly registry: Registry
  /**
   * Starts the node, then serves. Waits for nobody on the network.
   *
   * @returns where it answers: `http://localhost:1970`, or the path of the socket
   * @throws Error when the port is taken or an address can't be listened on; call `stop` then too. A Disco starts once
   */
  start(options?: StartOptions): Promise<string>
  /** Finishes what is in flight within `drainTimeout`, then closes everything; a start under way fails. Safe to repeat. */
  stop(): Promise<void>
  /** Reads the files again that are looked at for changes anyway: the certificate. */
  reload(): void
  /** Says to whoever asks that nothing shall come any more; `stop` does so too. */
  drain(): void
  /** Takes it out of rotation, and in again, with the others that it knows. */
  rotate(rotation: Rotation): Promise<void>
  /** What this process has counted; undefined without a debug address. */
  metrics(): Promise<MetricsSnapshot | undefined>
  /** Tells those who find the data directory taken where this Disco answers. */
  announce(address: string): void
}

/** What the rooms that know more than the shape of a value have against it, told before anything starts. */
export const CONFIG_CHECKS: Checks = { values: { ...SERVER_CHECKS, ...NETWORK_CHECKS, ...BUCKET_CHECKS }, files: FILE_CHECKS }

/**
 * Builds a Disco on its data directory; nothing listens before `start`.
 *
 * @throws ConfigError with all that is wrong with the options
 * @throws DataDirectoryError when the directory can't be used or another Disco runs on it
 */
export async function createDisco({ log = silentLogger(), ...options }: DiscoOptions = {}): Promise<Disco> {
  const { socket, upstream, processName, others, ...given } = options
  const config = completeConfig(given, CONFIG_CHECKS)
  const parts = new AsyncDisposableStack()
  try {
    return await assemble(config, { log, socket, upstream, processName, others, parts })
  } catch (error) {
    await parts.disposeAsync()
    throw error
  }
}

interface Ground extends Pick<DiscoOptions, 'socket' | 'upstream' | 'processName' | 'others'> {
  readonly log: Logger
  /** What has to be closed: the last that was built is the first to go, whatever becomes of the others. */
  readonly parts: AsyncDisposableStack
}

async function assemble(config: Config, { log, socket, upstream, processName: name = 'main', others, parts }: Ground): Promise<Disco> {
  const directory = upstream === undefined ? parts.adopt(DataDirectory.claim(config.data), (claimed) => claimed.release()) : undefined
  const storage = parts.adopt(await openStorage(config, log.child({ name: 'storage' })), (opened) => opened.close())
  if (directory !== undefined) noteStorage(config)
  const { index } = storage
  const local = socket !== undefined
  const observability = parts.adopt(
    await Observability.create({ config, storage, name, local, others, log: log.child({ name: 'health' }) }),
    (created) => created.stop(),
  )
  const store = observability.store(storage.store)
  // Another process of this registry has asked already who comes by the socket.
  const access = local ? undefined : parts.adopt(await createAccess(config, log.child({ name: 'auth' })), (created) => created.close())
  const network = upstream === undefined && storage.network !== undefined
    ? parts.adopt(storage.network({ config, observability, log: log.child({ name: 'ipfs' }) }), (created) => created.stop())
    : undefined
  const core = createCore(config, store, storage.links)
  const registry = parts.adopt(
    new GlobalRegistry(
      { core, store, index, provides: storage.provides, pushed: storage.pushed, network: observability.network(network), observer: observability.observers.clones, log: log.child({ name: 'global' }) },
      { keepNames: config.keepNames, noClone: config.noClone, readonly: config.readonly, cloneSize: config.limits.cloneSize || undefined, room: freeSpaceOf(config) },
    ),
    (created) => created.close(),
  )
  const upkeep = upstream === undefined ? parts.adopt(createUpkeep({ config, storage, core, log }), (created) => created.stop()) : undefined
  const notifications = parts.adopt(
    createNotifications({ config, store, deliver: upstream === undefined, shared: storage.shared, log: log.child({ name: 'notifications' }) }),
    (created) => created?.stop(),
  )
  observability.notifications(notifications)
  const other = upstream === undefined ? undefined : parts.adopt(new Upstream(upstream, observability.traceparent), (created) => created.close())
  const { http, tls } = createServer(
    { config, log: log.child({ name: 'http' }), local },
    {
      registry,
      registryFor: reporting(config, registry, notifications),
      policy: policyOf(config),
      gateway: createGateway(observability.blocks(storage.blocks ?? index.blocks, 'gateway')),
      authorizer: observability.authorizer(access?.authorizer),
      services: access?.services,
      health: observability.services,
      observer: observability.observers.requests,
      accessLogDisabled: config.accessLogDisabled,
      elsewhere: other === undefined || config.noClone || storage.network === undefined ? undefined : forwarding(other, storage.store),
    },
  )
  parts.defer(() => http.stop(config.drainTimeout))

  const listen = async (): Promise<string> => {
    if (socket === undefined) return addressOf(config, (await http.listen(config)).port)
    // a leftover of a process that was killed: the directory is ours by now
    await rm(socket, { force: true })
    await http.listenLocally({ path: socket })
    return socket
  }
  const stopping = new AbortController()
  const start = async ({ onNode }: StartOptions): Promise<string> => {
    for (const part of [observability, upkeep, notifications, network]) {
      await part?.start()
      stopping.signal.throwIfAborted()
    }
    const others = storage.nodes?.() ?? []
    onNode?.(others.length > 0 ? undefined : await network?.info(), others)
    const address = await listen()
    if (socket === undefined) directory?.announce(address)
    return address
  }
  let started: Promise<string> | undefined
  const stop = async (): Promise<void> => {
    observability.stopping()
    stopping.abort(new Error('this Disco was stopped before it had started'))
    await started?.catch(() => undefined)
    await parts.disposeAsync()
  }
  let stopped: Promise<void> | undefined
  return {
    service: registry,
    registry,
    async start(options = {}) {
      if (stopped !== undefined) throw new Error('this Disco was stopped: create another to start again')
      if (started !== undefined) throw new Error('this Disco was started already')
      return await (started = start(options))
    },
    stop: () => (stopped ??= stop()),
    reload: () => tls?.reload(),
    drain: () => observability.stopping(),
    rotate: observability.rotate,
    metrics: () => observability.snapshot(),
    announce: (address) => directory?.announce(address),
  }
}
