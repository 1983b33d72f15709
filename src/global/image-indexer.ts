import type { CID } from 'multiformats/cid'
import { VerificationError } from '../ipfs/errors.ts'
import type { ProvideQueue, RebuildableIndex, Tree } from '../ipfs/node.ts'
import type { Block } from '../ipfs/unixfs/block.ts'
import { BoundedMap } from '../oci/bounded-map.ts'
import { untilAborted } from '../oci/until-aborted.ts'
import { MAX_MANIFEST_BYTES } from '../registry/limits.ts'
import { blobData, inRepository, layoutPath, within } from '../registry/paths.ts'
import { ObjectUnknownError, StorageFailedError } from '../storage/errors.ts'
import type { AbortOptions, ObjectStore } from '../storage/object-store.ts'
import { inParallel } from '../storage/parallel.ts'
import type { Logger } from '../telemetry/logger.ts'
import { isHere } from './clone-flight.ts'
import { closureOf } from './closure.ts'
import { readDiscoFile, type DiscoEntry } from './disco-file.ts'
import { globalNames } from './images.ts'
import { repositoryTree } from './repository-tree.ts'

export interface ImageIndexerParts {
  readonly store: ObjectStore
  readonly index: RebuildableIndex
  readonly provides: ProvideQueue
  readonly log: Logger
  /** Milliseconds until one that could not be laid out is tried again. @default ten minutes */
  readonly again?: number | undefined
}

const AGAIN = 10 * 60_000
/** So many of those are remembered. */
const MAX_HOPELESS = 4_096

/** Images that a round works on at once, and objects of each. */
const IMAGES_AT_ONCE = 4
const OBJECTS_AT_ONCE = 4

/**
 * Gives the images of a store their blocks again where the index, which is kept apart from it, lacks them: it is new, or
 * was deleted, or the store is another's work. What is of the profile is told from the objects; what a clone brought in
 * another layout, from what it has put at `layoutPath`. Where that is missing, as with clones of Discos before it, the image
 * can be pulled here, and its blocks are for others to give.
 */
export class ImageIndexer {
  readonly #parts: ImageIndexerParts
  readonly #stopped = new AbortController()
  readonly #flights = new Map<string, Promise<boolean>>()
  /** Images that nobody can lay out, as things are: why. */
  readonly #hopeless: BoundedMap<'unknown' | 'incomplete'>

  constructor(parts: ImageIndexerParts) {
    this.#parts = parts
    this.#hopeless = new BoundedMap(MAX_HOPELESS, parts.again ?? AGAIN)
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#stopped.abort(new Error('the index is being closed'))
    await Promise.allSettled(this.#flights.values())
  }

  /** Looks at all images of the store. @returns how many were laid out */
  async complete(options: AbortOptions = {}): Promise<number> {
    const { store, index, log } = this.#parts
    const names = globalNames(store, options)
    let found = 0
    const work = async (): Promise<void> => {
      for await (const cid of names) {
        try {
          if (!index.knows(cid) && this.#hopeless.get(cid.toString()) === undefined && (await this.index(cid, options))) found++
        } catch (err) {
          options.signal?.throwIfAborted()
          log.warn({ cid: cid.toString(), err }, 'the blocks of an image could not be indexed')
        }
      }
    }
    await Promise.all(Array.from({ length: IMAGES_AT_ONCE }, work))
    return found
  }

  /**
   * Lays an image out, once, whoever asks for it; whether it is here and could be.
   *
   * @throws StorageFailedError where it is here, and something of it is missing
   */
  async index(cid: CID, { signal }: AbortOptions = {}): Promise<boolean> {
    const name = cid.toString()
    const why = this.#hopeless.get(name)
    if (why === 'incomplete') throw incomplete(name)
    if (why !== undefined) return false
    const flight = this.#flights.get(name) ?? this.#index(cid, { signal: this.#stopped.signal }).finally(() => this.#flights.delete(name))
    this.#flights.set(name, flight)
    return untilAborted(flight, signal)
  }

  async #index(cid: CID, options: AbortOptions): Promise<boolean> {
    const { store, log } = this.#parts
    const name = cid.toString()
    options.signal?.throwIfAborted()
    // It may be on its way in, by another machine.
    if (!(await isHere(store, name, options))) return false
    try {
      if (await this.#layOut(cid, options)) return true
    } catch (cause) {
      if (!(cause instanceof ObjectUnknownError)) throw cause
      // It may have been deleted meanwhile, and may be pushed anew.
      if (!(await isHere(store, name, options))) return false
      this.#hopeless.set(name, 'incomplete')
      throw incomplete(name, cause)
    }
    log.info({ cid: name }, 'the blocks of an image are laid out as nobody can tell any more: it is not served to peers')
    this.#hopeless.set(name, 'unknown')
    return false
  }

  async #layOut(cid: CID, options: AbortOptions): Promise<boolean> {
    const { store, index, provides } = this.#parts
    const file = await store.get(inRepository(cid.toString(), within.discoFile), options)
    if (file === undefined) return false
    const listed = readDiscoFile(file)
    const tree = await this.#takeLayout(cid.toString(), listed, options)
    const laidOut = await inParallel(listed, OBJECTS_AT_ONCE, (entry) => this.#isLaidOut(entry, options))
    if (laidOut.includes(false)) return false
    // The tree last: then whatever is cut off begins again.
    if (!index.knows(cid) && !(await index.putTree(cid, tree, options))) {
      if (!(await index.addTree(await this.#treeOf(file, listed, options), options)).equals(cid)) return false
    }
    await provides.provide([cid, ...listed.map((entry) => entry.cid)], options)
    return true
  }

  async #takeLayout(name: string, listed: readonly DiscoEntry[], options: AbortOptions): Promise<readonly Block[]> {
    const { store, index, log } = this.#parts
    try {
      return await index.takeLayout(store.read(layoutPath(name), options), listed.map(({ cid, digest }) => ({ cid, path: blobData(digest) })), options)
    } catch (err) {
      if (!(err instanceof ObjectUnknownError) && !(err instanceof VerificationError)) throw err
      if (err instanceof VerificationError) log.warn({ cid: name, err }, 'what is kept of how an image is laid out is damaged')
      return []
    }
  }

  async #isLaidOut({ cid, digest }: DiscoEntry, options: AbortOptions): Promise<boolean> {
    const { index } = this.#parts
    if (await index.blocks.has(cid, options)) return true
    // The profile's are all of version 1: nothing has to be read to see that this is none of it.
    return cid.version === 1 && (await index.file(blobData(digest), { ...options, digest })).equals(cid)
  }

  /** As it was when it was laid out: beside its files the repository may have others. */
  async #treeOf(discoFile: Uint8Array, listed: readonly DiscoEntry[], options: AbortOptions): Promise<Tree> {
    const [root] = listed
    if (root === undefined) throw new VerificationError('disco.json lists nothing')
    const cids = new Map(listed.map(({ digest, cid }) => [digest.hex, cid]))
    const closure = await closureOf({ digest: root.digest, bytes: await this.#manifest(root, options) }, (child) => this.#manifest(child, options))
    const entries = closure.map((entry) => {
      const cid = cids.get(entry.digest.hex)
      if (cid === undefined) throw new VerificationError(`${entry.digest.hex} is missing in disco.json`)
      return { ...entry, cid }
    })
    return new Map([...repositoryTree(root.digest, entries), [within.discoFile, discoFile]])
  }

  async #manifest({ digest }: Pick<DiscoEntry, 'digest'>, options: AbortOptions): Promise<Uint8Array> {
    const { store } = this.#parts
    const path = blobData(digest)
    const size = (await store.stat(path, options))?.size ?? 0
    const bytes = size > MAX_MANIFEST_BYTES ? undefined : await store.get(path, options)
    if (bytes === undefined) throw new ObjectUnknownError(path)
    return bytes
  }
}

function incomplete(name: string, cause?: ObjectUnknownError): StorageFailedError {
  return new StorageFailedError(`something of the image ${name} is missing: it is not served to peers`, { cause })
}
