import { digestOf } from '../../src/oci/digest.ts'
import type { Batch, Change, ObjectStore } from '../../src/storage/object-store.ts'
import { text } from './bytes.ts'

/** Objects by their paths. */
export type Objects = ReadonlyMap<string, Buffer>

export interface Commit extends Batch {
  /** Of its upload. */
  readonly bytes?: Uint8Array
}

const BLOB = 'docker/registry/v2/blobs/sha256/ab/abcd/data'
const NAME = 'docker/registry/v2/repositories/some/name'

/**
 * A push, in short, a second one that moves its tag, one that makes it go, and one that puts anew what it takes away.
 *
 * @param aside a directory for what is put and goes again
 */
export function commitsOf(layer: Uint8Array, aside: string = ''): readonly Commit[] {
  return [
    { uploads: [{ id: 'layer', path: BLOB, digest: digestOf(layer) }], bytes: layer, changes: [put(`${NAME}/_layers/sha256/abcd/link`, 'sha256:abcd')] },
    { changes: [put(`${NAME}/_manifests/revisions/sha256/ef/link`, 'sha256:ef'), put(`${NAME}/_manifests/tags/latest/index/sha256/ef/link`, 'sha256:ef'), put(`${NAME}/_manifests/tags/latest/current/link`, 'sha256:ef')] },
    { expect: [{ directory: `${NAME}/_manifests/tags`, names: ['latest'] }], changes: [put(`${aside}x/1`, '1'), put(`${aside}x/2`, '2'), put(`${NAME}/_manifests/tags/latest/current/link`, 'sha256:gh')] },
    { changes: [put(`${aside}y/visible`, 'y'), { delete: `${NAME}/_manifests/tags/latest` }, { delete: `${NAME}/_layers/sha256/abcd/link` }, { delete: `${aside}x` }] },
    { changes: [{ delete: `${aside}y` }, put(`${aside}y/visible`, 'again'), put(`${aside}y/new/too`, '1'), { delete: `${NAME}/_manifests/revisions/sha256/ef/link` }, put(`${NAME}/_manifests/revisions/sha256/ef/link`, 'sha256:e')] },
  ]
}

export function put(path: string, data: string): Change {
  return { put: path, data: text(data) }
}

/** What is there after a commit. */
export function after(before: Objects, { uploads = [], changes = [], bytes = new Uint8Array() }: Commit): Objects {
  const objects = new Map(before)
  for (const { path } of uploads) objects.set(path, Buffer.from(bytes))
  for (const change of changes) {
    if ('put' in change) objects.set(change.put, Buffer.from(change.data))
    else for (const path of objects.keys()) if (path === change.delete || path.startsWith(`${change.delete}/`)) objects.delete(path)
  }
  return objects
}

/** What is there. */
export async function objectsOf(store: ObjectStore, directory = ''): Promise<Map<string, Buffer>> {
  const objects = new Map<string, Buffer>()
  for (const name of await store.list(directory)) {
    const path = directory === '' ? name : `${directory}/${name}`
    const data = await store.get(path)
    if (data !== undefined) objects.set(path, Buffer.from(data))
    else for (const [below, bytes] of await objectsOf(store, path)) objects.set(below, bytes)
  }
  return objects
}

export function same(a: Objects, b: Objects): boolean {
  return a.size === b.size && [...a].every(([path, data]) => b.get(path)?.equals(data) === true)
}
