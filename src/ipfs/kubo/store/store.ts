import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { EmbeddedStore } from '../../../storage/embedded/store.ts'
import { ConflictError, ObjectUnknownError } from '../../../storage/errors.ts'
import { CommitLock } from '../../../storage/filesystem/commit-lock.ts'
import { givesRoom } from '../../../storage/gives-room.ts'
import { indexAfter, sortedNames } from '../../../storage/name-order.ts'
import { assertDirectory, assertPath } from '../../../storage/object-path.ts'
import {
  CHUNK_SIZE, type AbortOptions, type Batch, type Change, type ChunkHashes, type Expectation, type ListOptions, type ObjectStat, type ObjectStore,
  type ReadOptions,
} from '../../../storage/object-store.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import { KuboChanges } from './changes.ts'
import { Completion } from './completion.ts'
import { KuboExecution } from './execution.ts'
import type { KuboJournal } from './journal.ts'
import { KuboListing } from './listing.ts'
import type { KuboNodes } from '../nodes/nodes.ts'
import { holdsTree, isShared, TREE } from './tree.ts'
import { profileHashes } from '../dag/profile.ts'
import type { SendingUploads } from '../uploads/sent-blob.ts'

export interface KuboStoreParts {
  readonly nodes: KuboNodes
  /** What is not in MFS, and the journal. Its owner closes it. */
  readonly local: EmbeddedStore
  readonly journal: KuboJournal
  readonly uploads: SendingUploads
  /** The data directory. */
  readonly directory: string
  readonly log: Logger
}

/**
 * Objects in the MFS of one Kubo or several, below `docker/registry/v2/`; everything else is local. A commit is noted
 * in the local database, and has happened from then on: who reads what it concerns waits until it is done, or does it.
 */
export class KuboStore implements ObjectStore, ChunkHashes {
  readonly uploads: SendingUploads
  readonly #nodes: KuboNodes
  readonly #local: EmbeddedStore
  readonly #listing: KuboListing
  readonly #journal: KuboJournal
  readonly #completion: Completion
  readonly #lock: CommitLock

  /** A commit that was cut off is finished by the first who reads or commits. */
  constructor({ nodes, local, journal, uploads, directory, log }: KuboStoreParts) {
    this.uploads = uploads
    this.#nodes = nodes
    this.#local = local
    this.#listing = new KuboListing(nodes)
    this.#journal = journal
    this.#completion = new Completion({ nodes, journal, uploads, log })
    this.#lock = new CommitLock(join(directory, 'kubo-commit.lock'))
  }

  /** Waits for the commits under way. */
  async close(): Promise<void> {
    await this.#lock.close()
  }

  async stat(path: string, options: AbortOptions = {}): Promise<ObjectStat | undefined> {
    assertPath(path)
    if (!isShared(path)) return this.#local.stat(path, options)
    await this.#settle(path, options)
    const at = await this.#nodes.stat(path, options)
    return at && { size: at.found.size, modifiedAt: this.#journal.writtenAt(path) }
  }

  async get(path: string, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    assertPath(path)
    if (!isShared(path)) return this.#local.get(path, options)
    await this.#settle(path, options)
    return this.#nodes.get(path, options)
  }

  async *read(path: string, options: ReadOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    assertPath(path)
    if (!isShared(path)) {
      yield* this.#local.read(path, options)
      return
    }
    await this.#settle(path, options)
    let found = false
    yield* this.#nodes.read(path, options, () => (found = true))
    if (!found) throw new ObjectUnknownError(path)
  }

  async list(directory: string, options: ListOptions = {}): Promise<string[]> {
    assertDirectory(directory)
    options.signal?.throwIfAborted()
    if (isOfTree(directory)) await this.#settle(directory, options)
    return this.#page(directory, options)
  }

  async commit({ expect = [], uploads = [], changes = [] }: Batch, options: AbortOptions = {}): Promise<void> {
    const changed = [...uploads.map((upload) => upload.path), ...changes.map(pathOf)]
    for (const path of changed) assertPath(path)
    for (const each of expect) assertDirectory(subjectOf(each))
    options.signal?.throwIfAborted()
    const shared = changes.filter((change) => isOfTree(pathOf(change)))
    const local = changes.filter((change) => !isOfTree(pathOf(change)))
    const sharedExpect = expect.filter((each) => isOfTree(subjectOf(each)))
    const localExpect = expect.filter((each) => !isOfTree(subjectOf(each)))
    if (uploads.length === 0 && shared.length === 0 && sharedExpect.length === 0) return this.#local.commit({ expect, changes }, options)
    const settled = await Promise.allSettled(uploads.map((upload) => this.uploads.finish(upload, options)))
    const sent = settled.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    try {
      const failure = settled.find((outcome) => outcome.status === 'rejected')
      if (failure !== undefined) throw failure.reason
      await this.#lock.hold(Promise.resolve(), async () => {
        await this.#completion.finish([...changed, ...expect.map(subjectOf)])
        options.signal?.throwIfAborted()
        for (const each of sharedExpect) await this.#check(each, options)
        const blobs = uploads.flatMap(({ path }, index) => {
          const cid = sent[index]?.cid
          return cid === undefined ? [] : [{ path, cid }]
        })
        const execution = new KuboExecution(this.#nodes, new KuboChanges(blobs, shared))
        const steps = await execution.look(options)
        const freeing = givesRoom({ uploads, changes })
        const noted = await this.#journal.add({ blobs, shared, local, uploads }, localExpect, { signal: options.signal, freeing })
        await this.#completion.end(noted, execution, steps)
      })
    } finally {
      await Promise.all(sent.map((blob) => blob.release()))
    }
  }

  async chunkHashes(path: string, options: AbortOptions = {}): Promise<Uint8Array> {
    assertPath(path)
    if (!isShared(path)) return this.#local.chunkHashes(path, options)
    await this.#settle(path, options)
    const at = await this.#nodes.stat(path, options)
    if (at === undefined) throw new ObjectUnknownError(path)
    const { node, found } = at
    return (await profileHashes(node, found.cid, found.size, options)) ?? hashChunks(this.read(path, options))
  }

  /** Of local names, and the one of the directory in which MFS is. */
  async #page(directory: string, options: ListOptions): Promise<string[]> {
    if (isShared(directory) || directory === TREE) return this.#listing.page(directory, options)
    const names = await this.#local.list(directory, options)
    if (!holdsTree(directory) || (await this.#listing.page(TREE, { ...options, after: undefined, limit: 1 })).length === 0) return names
    const [next = ''] = TREE.slice(directory === '' ? 0 : directory.length + 1).split('/')
    if (options.after !== undefined && indexAfter([next], options.after) === 1) return names
    return sortedNames(new Set([...names, next])).slice(0, options.limit ?? 1000)
  }

  /** Waits for a commit that concerns a path, or finishes it: who reads finds all of it or nothing. */
  async #settle(path: string, { signal }: AbortOptions): Promise<void> {
    signal?.throwIfAborted()
    if (this.#journal.pending().some(({ changes }) => changes.concerns(path))) await this.#lock.hold(Promise.resolve(), () => this.#completion.finish([path]))
  }

  async #check(expectation: Expectation, options: AbortOptions): Promise<void> {
    if ('path' in expectation) {
      const { path, data } = expectation
      const found = await this.#nodes.get(path, options)
      if (data === undefined ? found !== undefined : found === undefined || Buffer.compare(found, data) !== 0) throw new ConflictError(path)
      return
    }
    const { directory, names } = expectation
    const found = await this.#page(directory, { ...options, limit: names.length + 1 })
    if (found.length !== names.length || found.some((name, index) => name !== names[index])) throw new ConflictError(directory)
  }
}

function pathOf(change: Change): string {
  return 'put' in change ? change.put : change.delete
}

function subjectOf(expectation: Expectation): string {
  return 'path' in expectation ? expectation.path : expectation.directory
}

/** Whether it is in MFS, or that is below it. */
function isOfTree(path: string): boolean {
  return isShared(path) || holdsTree(path)
}

async function hashChunks(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const hashes: Buffer[] = []
  let hash = createHash('sha256')
  let size = 0
  for await (let chunk of content) {
    while (size + chunk.byteLength >= CHUNK_SIZE) {
      const rest = CHUNK_SIZE - size
      hashes.push(hash.update(chunk.subarray(0, rest)).digest())
      chunk = chunk.subarray(rest)
      hash = createHash('sha256')
      size = 0
    }
    hash.update(chunk)
    size += chunk.byteLength
  }
  if (size > 0) hashes.push(hash.digest())
  return new Uint8Array(Buffer.concat(hashes))
}
