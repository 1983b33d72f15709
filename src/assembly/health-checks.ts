import { hostname } from 'node:os'
import { withoutUser } from '../oci/url-user.ts'
import type { Config } from '../config/options.ts'
import type { ObjectStore } from '../storage/object-store.ts'
import { fileProbe, httpProbe, tcpProbe } from '../telemetry/health-checks.ts'
import type { Health } from '../telemetry/health.ts'
import { driverOf, type BuiltStorage } from './storage.ts'

/** Ours, and in no repository; each process has its own, on whichever machine: in containers all may be number 1. */
const PROBE = `disco/health/${hostname()}-${process.pid}`

/** What the configuration wants to hold, under the names that Distribution gives these checks. */
export function addChecks(health: Health, config: Config, { store, checks }: Pick<BuiltStorage, 'store' | 'checks'>): void {
  const { healthStorageInterval: interval, healthStorageThreshold: threshold } = config
  if (config.healthStorageEnabled) health.add(`storagedriver_${driverOf(config)}`, (signal) => probe(store, config.readonly, signal), { interval, threshold })
  for (const { name, probe: look, options } of config.healthStorageEnabled ? checks : []) health.add(name, look, { ...options, interval })
  for (const { file, ...when } of config.healthFiles) health.add(file, fileProbe(file), when)
  for (const { uri, statusCode: status, headers, ...when } of config.healthHttp) health.add(withoutUser(uri).url.href, httpProbe(uri, { status, headers }), when)
  for (const { addr, ...when } of config.healthTcp) health.add(addr, tcpProbe(addr), when)
}

/** Reads, and unless nothing may be written writes something, durably, that is gone again at once. */
async function probe(store: ObjectStore, readonly: boolean, signal: AbortSignal): Promise<void> {
  await store.stat(PROBE, { signal })
  if (!readonly) await store.commit({ changes: [{ put: PROBE, data: new Uint8Array(1) }, { delete: PROBE }] }, { signal })
}
