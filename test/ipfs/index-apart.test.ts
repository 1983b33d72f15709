import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'node:test'
import { openStorage, type BuiltStorage } from '../../src/assembly/storage.ts'
import { dagIndexContract } from '../contract/dag-index.ts'

interface Test {
  after(close: () => Promise<void>): void
}

async function openBuilt(test: Test, kind: 'filesystem' | 'memory'): Promise<BuiltStorage> {
  const directory = await mkdtemp(join(tmpdir(), 'disco-apart-'))
  const storage = await openStorage({
    data: directory,
    storageFilesystem: kind === 'filesystem' ? join(directory, 'tree') : undefined,
    storageInmemory: kind === 'memory',
    readonly: false,
    processes: 1,
  })
  test.after(async () => {
    await storage.close()
    await rm(directory, { recursive: true, force: true })
  })
  return storage
}

for (const kind of ['filesystem', 'memory'] as const) {
  describe(`DAG index beside a ${kind} store`, () => {
    dagIndexContract((test) => openBuilt(test, kind))
  })
}

