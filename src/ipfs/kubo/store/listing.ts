import { decode } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import type { CID } from 'multiformats/cid'
import { StorageFailedError } from '../../../storage/errors.ts'
import { indexAfter, sortedNames } from '../../../storage/name-order.ts'
import type { AbortOptions, ListOptions } from '../../../storage/object-store.ts'
import { RAW } from '../../unixfs/block.ts'
import { failed, mfsPath, type KuboNodes } from '../nodes/nodes.ts'
import type { KuboNode } from '../nodes/node.ts'

interface Entry {
  readonly name: string
  readonly cid: CID
}

/** Entries of a directory that is worth remembering: reading them takes longer than a page should. */
const MANY = 200
/** Names remembered at most, of all directories together, but for one that has more: 40 bytes each. */
const REMEMBERED_NAMES = 200_000
/**
 * In a directory of so many each is looked into, whether there is an object below it. In a larger one only those are
 * told that have nothing in them at all: others are left by who removes a link and not what it was in.
 */
const LOOKED_INTO = 16
/** A directory may be changed, and collected, between the look at its name and the look at its block. */
const ATTEMPTS = 5

/**
 * Lists directories of MFS by pages, those of all nodes as one. What is remembered is what a CID means, which nobody
 * can change: the name of the directory is looked up for each page.
 */
export class KuboListing {
  readonly #nodes: KuboNodes
  readonly #known = new Map<string, readonly string[]>()
  #remembered = 0

  constructor(nodes: KuboNodes) {
    this.#nodes = nodes
  }

  /** @throws StorageFailedError where not all nodes answer that may have some: it would be missing */
  async page(directory: string, { after, limit = 1000, signal }: ListOptions): Promise<string[]> {
    const lists = await Promise.all(this.#nodes.all.map((node) => this.#names(node, directory, { signal }).catch((error: unknown) => {
      signal?.throwIfAborted()
      if (!this.#nodes.mayHave(node, directory)) return []
      throw failed(error)
    })))
    const pages = lists.map((names) => {
      const start = after === undefined ? 0 : indexAfter(names, after)
      return names.slice(start, start + limit)
    })
    const [only = []] = pages
    return pages.length === 1 ? only : sortedNames(new Set(pages.flat())).slice(0, limit)
  }

  async #names(node: KuboNode, directory: string, options: AbortOptions): Promise<readonly string[]> {
    for (let attempt = 1; ; attempt++) {
      const found = await node.stat(mfsPath(directory), options)
      if (found?.directory !== true) return []
      const known = this.#known.get(found.cid.toString())
      if (known !== undefined) return known
      const entries = await entriesOf(node, found.cid, options)
      if (entries !== undefined) return this.#remember(found.cid, await objectsOf(node, entries, options))
      if (attempt === ATTEMPTS) throw new StorageFailedError(`${node.name} lacks blocks of the directory ${directory}`)
    }
  }

  #remember(cid: CID, names: readonly string[]): readonly string[] {
    if (names.length < MANY) return names
    this.#known.set(cid.toString(), names)
    this.#remembered += names.length
    for (const [oldest, { length }] of this.#known) {
      if (this.#remembered <= REMEMBERED_NAMES || oldest === cid.toString()) break
      this.#known.delete(oldest)
      this.#remembered -= length
    }
    return names
  }
}

/** Names of those that are objects or hold some, in order. */
async function objectsOf(node: KuboNode, entries: readonly Entry[], options: AbortOptions): Promise<string[]> {
  const candidates = entries.filter(({ cid }) => !isEmpty(cid))
  if (entries.length > LOOKED_INTO) return sortedNames(candidates.map(({ name }) => name))
  const there = await Promise.all(candidates.map(({ cid }) => holdsObject(node, cid, options)))
  return sortedNames(candidates.filter((_, index) => there[index]).map(({ name }) => name))
}

async function holdsObject(node: KuboNode, cid: CID, options: AbortOptions): Promise<boolean> {
  if (cid.code === RAW) return true
  if (isEmpty(cid)) return false
  const entries = await entriesOf(node, cid, options)
  // What is not a directory is a file; and what is not here is not nothing.
  if (entries === undefined) return true
  for (const entry of entries.toSorted((a, b) => Number(b.cid.code === RAW) - Number(a.cid.code === RAW))) if (await holdsObject(node, entry.cid, options)) return true
  return false
}

/** The entries of a directory, sharded or not; undefined where it is none, or blocks of it are not here. */
async function entriesOf(node: KuboNode, cid: CID, options: AbortOptions): Promise<Entry[] | undefined> {
  const bytes = await node.block(cid, { ...options, offline: true })
  if (bytes === undefined) return undefined
  const { Data, Links } = decode(bytes)
  const unixfs = Data === undefined ? undefined : UnixFS.unmarshal(Data)
  if (unixfs?.type === 'directory') return Links.map(({ Name = '', Hash }) => ({ name: Name, cid: Hash }))
  if (unixfs?.type !== 'hamt-sharded-directory') return undefined
  const prefix = (Number(unixfs.fanout ?? 256n) - 1).toString(16).length
  const shards = await Promise.all(Links.map(({ Name = '', Hash }) =>
    (Name.length > prefix ? Promise.resolve([{ name: Name.slice(prefix), cid: Hash }]) : entriesOf(node, Hash, options))))
  return shards.every((shard) => shard !== undefined) ? shards.flat() : undefined
}

/** A directory without entries, as CIDv0 and as CIDv1. */
const EMPTY = Buffer.from('122059948439065f29619ef41280cbb932be52c56d99c5966b65e0111239f098bbef', 'hex')

function isEmpty(cid: CID): boolean {
  return EMPTY.equals(cid.multihash.bytes)
}
