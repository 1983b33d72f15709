import { rm } from 'node:fs/promises'
import { createAccess } from './assembly/access.ts'
import { createNotifications, reporting } from './assembly/notifications.ts'
import { Observability } from './assembly/observability.ts'
import { createCore, policyOf } from './assembly/registry.ts'
import { freeSpaceOf } from './assembly/free-space.ts'
import { addressOf, createServer, SERVER_CHECKS } from './assembly/server.ts'
import { openStorage, type BuiltStorage } from './assembly/storage.ts'
import { createUpkeep } from './assembly/upkeep.ts'
import { completeConfig, type Checks } from './config/load.ts'
import type { Config } from './config/options.ts'
import { isHere } from './global/clone-flight.ts'
import type { DiscoService } from './global/disco-service.ts'
import { GlobalRegistry } from './global/global-registry.ts'
import { cidOf } from './global/names.ts'
import { createGateway } from './http/gateway.ts'
import type { RequestListenerParts } from './http/request-listener.ts'
import { Upstream } from './http/upstream.ts'
import { EmbeddedNetwork } from './ipfs/embedded/network.ts'
import { sessionOpener } from './ipfs/embedded/session-opener.ts'
import { parseMultiaddr, parsePeers } from './ipfs/embedded/network-peers.ts'
import type { IpfsNetwork, NodeInfo } from './ipfs/node.ts'
import type { Registry } from './registry/registry.ts'
import { DataDirectory } from './storage/data-directory.ts'
import { silentLogger } from './telemetry/create-logger.ts'
import type { Logger } from './telemetry/logger.ts'
import type { MetricsSnapshot } from './telemetry/metrics.ts'

export type { Config, DiscoService, Logger, NodeInfo, Registry }

export interface DiscoOptions extends Partial<Config> {
  /** @default one that says nothing */
  readonly log?: Logger | undefined
  /** Where several processes serve one data directory: answer on this socket, for the others, and not on a port. */
  readonly socket?: string | undefined
  /** … and in the others: no network of one's own, but that of the process that answers on this socket. */
  readonly upstream?: string | undefined
  /** What tells this process from those others in metrics. @default main */
  readonly processName?: string | undefined
  /** The metrics of those others, to be told with one's own. */
  readonly otherMetrics?: (() => Promise<readonly MetricsSnapshot[]>) | undefined
}

export interface StartOptions {
  /** Told about the IPFS node once it runs, before the first request can be answered; undefined where another process has it. */
  readonly onNode?: (info: NodeInfo | undefined) => void
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
  /** Finishes what is in flight within `drainTimeout`, then closes everything. Safe to repeat. */
  stop(): Promise<void>
  /** Reads the files again that are looked at for changes anyway: the certificate. */
  reload(): void
  /** Says to whoever asks that nothing shall come any more; `stop` does so too. */
  drain(): void
  /** What this process has counted; undefined without a debug address. */
  metrics(): Promise<MetricsSnapshot | undefined>
  /** Tells those who find the data directory taken where this Disco answers. */
  announce(address: string): void
}

/** What the rooms that know more than the shape of a value have against it, told before anything starts. */
export const CONFIG_CHECKS: Checks = {
  ...SERVER_CHECKS,
  listen: checkMultiaddrs,
  announce: checkMultiaddrs,
  peer: (peers) => void parsePeers(peers),
}

/**
 * Builds a Disco on its data directory; nothing listens before `start`.
 *
 * @throws ConfigError with all that is wrong with the options
 * @throws DataDirectoryError when the directory can't be used or another Disco runs on it
 */
export async function createDisco({ log = silentLogger(), socket, upstream, processName, otherMetrics, ...given }: DiscoOptions = {}): Promise<Disco> {
  const config = completeConfig(given, CONFIG_CHECKS)
  const directory = upstream === undefined ? DataDirectory.claim(config.data) : undefined
  try {
    const storage = await openStorage(config)
    try {
      return await assemble(config, { log, socket, upstream, processName, otherMetrics, directory, storage })
    } catch (error) {
      await storage.close()
      throw error
    }
  } catch (error) {
    directory?.release()
    throw error
  }
}

interface Ground extends Pick<DiscoOptions, 'processName' | 'otherMetrics'> {
  readonly log: Logger
  readonly socket: string | undefined
  readonly upstream: string | undefined
  readonly directory: DataDirectory | undefined
  readonly storage: BuiltStorage
}

async function assemble(config: Config, { log, socket, upstream, processName = 'main', otherMetrics: others, directory, storage }: Ground): Promise<Disco> {
  const { index } = storage
  const local = socket !== undefined
  const observability = await Observability.create({ config, storage, name: processName, local, others, log: log.child({ name: 'health' }) })
  const store = observability.store(storage.store)
  // Another process of this registry has asked already who comes by the socket.
  const access = socket === undefined ? await createAccess(config, log.child({ name: 'auth' })) : undefined
  const network = upstream === undefined ? createNetwork(config, storage, observability, log) : undefined
  const core = createCore(config, store)
  const registry = new GlobalRegistry(
    { core, store, index, provides: index, network: observability.network(network), observer: observability.observers.clones, log: log.child({ name: 'global' }) },
    { keepNames: config.keepNames, noClone: config.noClone, readonly: config.readonly, cloneSize: config.limits.cloneSize || undefined, room: freeSpaceOf(config) },
  )
  const notifications = createNotifications({ config, store, deliver: upstream === undefined, log: log.child({ name: 'notifications' }) })
  observability.notifications(notifications)
  const other = upstream === undefined ? undefined : new Upstream(upstream, observability.traceparent)
  const elsewhere = other === undefined || config.noClone ? undefined : forwarding(other, storage)
  const gateway = createGateway(observability.blocks(index.blocks, 'gateway'))
  const { http, tls } = createServer(
    { config, log: log.child({ name: 'http' }), local },
    {
      registry,
      registryFor: reporting(config, registry, notifications),
      policy: policyOf(config),
      gateway,
      authorizer: observability.authorizer(access?.authorizer),
      services: access?.services,
      health: observability.services,
      observer: observability.observers.requests,
      accessLogDisabled: config.accessLogDisabled,
      elsewhere,
    },
  )

  const upkeep = network === undefined ? undefined : createUpkeep({ config, storage, core, log })

  const listen = async (): Promise<string> => {
    if (socket === undefined) return addressOf(config, (await http.listen(config)).port)
    // a leftover of a process that was killed: the directory is ours by now
    await rm(socket, { force: true })
    await http.listenLocally({ path: socket })
    return socket
  }
  const stop = async (): Promise<void> => {
    observability.stopping()
    await http.stop(config.drainTimeout)
    await access?.close()
    await notifications?.stop()
    other?.close()
    await upkeep?.stop()
    await registry.close()
    await network?.stop()
    await observability.stop()
    await storage.close()
    directory?.release()
  }
  let started = false
  let stopped: Promise<void> | undefined
  return {
    service: registry,
    registry,
    async start({ onNode } = {}) {
      if (stopped !== undefined) throw new Error('this Disco was stopped: create another to start again')
      if (started) throw new Error('this Disco was started already')
      started = true
      await observability.start()
      await upkeep?.start()
      await notifications?.start()
      await network?.start()
      onNode?.(await network?.info())
      const address = await listen()
      if (socket === undefined) directory?.announce(address)
      return address
    },
    stop: () => (stopped ??= stop()),
    reload: () => tls?.reload(),
    drain: () => observability.stopping(),
    metrics: () => observability.snapshot(),
    announce: (address) => directory?.announce(address),
  }
}

function checkMultiaddrs(addresses: readonly string[]): void {
  for (const address of addresses) parseMultiaddr(address)
}

function createNetwork(config: Config, { store, index }: BuiltStorage, observability: Observability, parent: Logger): IpfsNetwork {
  const log = parent.child({ name: 'ipfs' })
  return new EmbeddedNetwork({
    options: {
      mode: config.network,
      directory: config.data,
      listen: config.listen.length > 0 ? config.listen : undefined,
      announce: config.announce,
      peers: config.peer,
      swarmKey: config.swarmKey,
      findTimeout: config.cloneTimeout,
    },
    blocks: observability.blocks(index.blocks, 'bitswap'),
    queue: index.queue,
    session: sessionOpener({ store, index, observer: observability.observers.blocks, traceparent: observability.traceparent, log }),
    log,
  })
}

/** Images that are not here are for the process that can fetch them; those that are, are served here. */
function forwarding(upstream: Upstream, { store }: BuiltStorage): NonNullable<RequestListenerParts['elsewhere']> {
  return async ({ name }, request, asker, signal) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return undefined
    const cid = cidOf(name)
    return cid === undefined || (await isHere(store, cid)) ? undefined : upstream.answer(request, asker, signal)
  }
}
