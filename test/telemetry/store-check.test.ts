import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addChecks } from '../../src/assembly/health-checks.ts'
import { completeConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/options.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import { StorageFailedError } from '../../src/storage/errors.ts'
import { silentLogger } from '../../src/telemetry/create-logger.ts'
import { Health } from '../../src/telemetry/health.ts'

class FullStore extends MemoryStore {
  override async commit(): Promise<void> {
    throw new StorageFailedError('no room left')
  }
}

function healthOf(store: MemoryStore, options: Partial<Config>): Health {
  const health = new Health(silentLogger())
  addChecks(health, completeConfig({ storageInmemory: true, healthStorageInterval: 1, ...options }), { store, checks: [] })
  return health
}

const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))

test('a store that can not be written makes a registry unready, from the third time on, and leaves nothing in one that can', async () => {
  const full = healthOf(new FullStore(), {})
  for (let times = 0; times < 2; times++, await later()) assert.deepEqual(await full.failures(), {})
  assert.deepEqual(await full.failures(), { storagedriver_inmemory: 'no room left' })
  const store = new MemoryStore()
  assert.deepEqual(await healthOf(store, { healthStorageThreshold: 1 }).failures(), {})
  assert.deepEqual(await store.list('disco/health'), [])
})

test('in maintenance nothing is written, and the store need not take anything', async () => {
  assert.deepEqual(await healthOf(new FullStore(), { readonly: true, healthStorageThreshold: 1 }).failures(), {})
})
