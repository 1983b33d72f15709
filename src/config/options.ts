import { ACCESS_OPTIONS, type AccessConfig } from './options/access.ts'
import { CACHE_OPTIONS, type CacheConfig } from './options/cache.ts'
import { IPFS_OPTIONS, type IpfsConfig } from './options/ipfs.ts'
import { LIMITS_OPTIONS, type LimitsConfig } from './options/limits.ts'
import { NOTIFICATIONS_OPTIONS, type NotificationsConfig } from './options/notifications.ts'
import { OBSERVABILITY_OPTIONS, type ObservabilityConfig } from './options/observability.ts'
import type { OptionTable } from './options/option.ts'
import { SERVER_OPTIONS, type ServerConfig } from './options/server.ts'
import { STORAGE_OPTIONS, type StorageConfig } from './options/storage.ts'

/** What a Disco is told when it starts. */
export interface Config
  extends ServerConfig, StorageConfig, CacheConfig, IpfsConfig, AccessConfig, LimitsConfig, ObservabilityConfig, NotificationsConfig {}

export type OptionName = keyof Config

/** Every option, once: flag, environment, YAML key, check, default and documentation come from here. */
export const OPTIONS: OptionTable<Config> = {
  ...SERVER_OPTIONS,
  ...STORAGE_OPTIONS,
  ...CACHE_OPTIONS,
  ...IPFS_OPTIONS,
  ...ACCESS_OPTIONS,
  ...LIMITS_OPTIONS,
  ...OBSERVABILITY_OPTIONS,
  ...NOTIFICATIONS_OPTIONS,
}

export function optionNames(): OptionName[] {
  return Object.keys(OPTIONS) as OptionName[]
}
