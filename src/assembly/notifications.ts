import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Config } from '../config/options.ts'
import type { ReceptionParts } from '../http/reception.ts'
import type { EventAction } from '../notifications/event.ts'
import { Notifications } from '../notifications/notifications.ts'
import { ReportingRegistry } from '../notifications/reporting-registry.ts'
import type { Registry } from '../registry/registry.ts'
import type { ObjectStore } from '../storage/object-store.ts'
import type { Logger } from '../telemetry/logger.ts'

export interface NotificationsGround {
  readonly config: Config
  readonly store: ObjectStore
  /** Whether this process delivers what all of them queue. */
  readonly deliver: boolean
  /** Other Discos, each with its own data directory, may be on the store. */
  readonly shared: boolean
  readonly log: Logger
}

/** Undefined where nobody wants to hear of anything. */
export function createNotifications({ config, store, deliver, shared, log }: NotificationsGround): Notifications | undefined {
  const endpoints = config.notificationEndpoints.filter(({ disabled }) => !disabled).map((endpoint) => ({
    ...endpoint,
    ignoredMediaTypes: [...endpoint.ignoredMediaTypes, ...endpoint.ignore.mediaTypes],
    ignoredActions: endpoint.ignore.actions as readonly EventAction[],
  }))
  const silent = config.notificationEndpoints.filter(({ disabled }) => disabled).map(({ name }) => name)
  // In maintenance nothing is written, and so nothing queued.
  return endpoints.length === 0 || config.readonly ? undefined : new Notifications({ store, endpoints, silent, deliver, among: shared ? { name: `${hostname()}:${config.data}` } : undefined, log })
}

/** The registry as each request sees it. */
export function reporting(config: Config, registry: Registry, notifications: Notifications | undefined): ReceptionParts['registryFor'] {
  if (notifications === undefined) return undefined
  const source = { addr: `${hostname()}:${config.port}`, instanceID: randomUUID() }
  return ({ id, method, client: { address, origin, userAgent }, identity: { user } }) => {
    const request = { id, addr: address, host: origin.replace(/^https?:\/\//, ''), method, useragent: userAgent }
    return new ReportingRegistry(registry, { request, origin, user, source, includeReferences: config.notificationReferences }, notifications)
  }
}
