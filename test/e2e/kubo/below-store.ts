import type { Batch, Change, ChunkHashes, Expectation, ObjectStore } from '../../../src/storage/object-store.ts'

/** A store's objects below one directory, as a store: what has a place for its objects is asked everything there. */
export function belowStore(store: ObjectStore & ChunkHashes, directory: string): ObjectStore & ChunkHashes {
  const at = (path: string): string => `${directory}/${path}`
  return {
    uploads: store.uploads,
    stat: (path, options) => store.stat(at(path), options),
    get: (path, options) => store.get(at(path), options),
    read: (path, options) => store.read(at(path), options),
    list: (path, options) => store.list(path === '' ? directory : at(path), options),
    chunkHashes: (path, options) => store.chunkHashes(at(path), options),
    commit: ({ expect = [], uploads = [], changes = [] }: Batch, options) => store.commit({
      expect: expect.map((each): Expectation => ('path' in each ? { ...each, path: at(each.path) } : { ...each, directory: at(each.directory) })),
      uploads: uploads.map((upload) => ({ ...upload, path: at(upload.path) })),
      changes: changes.map((change): Change => ('put' in change ? { ...change, put: at(change.put) } : { delete: at(change.delete) })),
    }, options),
  }
}
