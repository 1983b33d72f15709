import assert from 'node:assert/strict'
import pino from 'pino'
import { writeDiscoFile } from '../../src/global/disco-file.ts'
import { cidOf } from '../../src/global/names.ts'
import { tierPlaces } from '../../src/global/tier-places.ts'
import { digestOf, type Digest } from '../../src/oci/digest.ts'
import { link } from '../../src/registry/links.ts'
import { blobData, inRepository, within } from '../../src/registry/paths.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import type { Change, ObjectStore } from '../../src/storage/object-store.ts'
import { TieredStore, type TieredStoreParts } from '../../src/storage/tiered/store.ts'
import { text } from '../contract/bytes.ts'
import { FaultyStore } from './faulty-store.ts'

export const CID: string = `bafybei${'a'.repeat(51)}a`

export interface Tier {
  readonly store: TieredStore
  readonly authority: FaultyStore
  readonly copy: FaultyStore
  /** What is in them, past all faults. */
  readonly inside: { readonly authority: MemoryStore; readonly copy: MemoryStore }
}

export type TierOptions = Partial<Pick<TieredStoreParts, 'first' | 'strict' | 'readonly' | 'patience'>> & {
  /** What an earlier one left. */
  readonly left?: Tier['inside'] | undefined
  readonly copy?: MemoryStore
}

export function tierOf({ left, copy, ...roles }: TierOptions = {}): Tier {
  const inside = left ?? { authority: new MemoryStore(), copy: copy ?? new MemoryStore() }
  const stores = { authority: new FaultyStore(inside.authority), copy: new FaultyStore(inside.copy) }
  const store = new TieredStore({ ...stores, places: tierPlaces, first: 'copy', log: pino({ level: 'silent' }), ...roles })
  return { store, ...stores, inside }
}

/** Pushes a blob; where it is. */
export async function pushBlob(store: ObjectStore, data: Uint8Array, id = 'upload'): Promise<{ readonly path: string; readonly digest: Digest }> {
  const digest = digestOf(data)
  const path = blobData(digest)
  await store.uploads.create(id, 'name')
  await store.uploads.append(id, 0, (async function* () {
    for (let i = 0; i < data.byteLength; i += 65_536) yield data.subarray(i, i + 65_536)
  })())
  await store.commit({ uploads: [{ id, path, digest }] })
  return { path, digest }
}

/** Of a repository that is named by what it holds. */
export function imageChanges(digest: Digest, name: string = CID): Change[] {
  const links = [within.layer(digest), within.revision(digest), within.tagIndex('latest', digest), within.tagCurrent('latest')].map((path) => link(inRepository(name, path), digest))
  return [{ put: inRepository(name, within.discoFile), data: discoFile(digest) }, ...links]
}

export function discoFile(digest: Digest): Uint8Array {
  return writeDiscoFile([{ digest, cid: cidOf(CID) ?? assert.fail() }])
}

export function tagChanges(name: string, tag: string, value: string): Change[] {
  return [{ put: inRepository(name, within.tagCurrent(tag)), data: text(value) }]
}
