import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../storage/object-store.ts'
import { VerificationError } from '../errors.ts'
import type { Tree, TreeLimits } from '../node.ts'
import type { Block } from './block.ts'
import { isFileName } from './name.ts'
import { decodeNode, type DirectoryNode } from './node.ts'
import { walkFile, type FetchBlock } from './walk-file.ts'
import type { Window } from './window.ts'

export interface WalkTreeOptions extends AbortOptions {
  readonly limits: TreeLimits
  readonly window: Window
}

export interface WalkedTree {
  readonly tree: Tree
  /** Every block of it once, nodes before what is below them. */
  readonly blocks: readonly Block[]
}

/** What a stranger's tree may have beside its files: directories (a link of a registry has up to six above it) and the blocks' own bytes. */
const ENTRIES_A_FILE = 8
const FREE_ENTRIES = 64
const BYTES_AN_ENTRY = 512
/** Entries that are looked at together. */
const AT_ONCE = 8

/**
 * The files of a directory and the blocks that they are made of.
 *
 * @throws VerificationError when it is no directory, has a name that no file can have, or goes beyond the limits
 */
export async function walkTree(root: CID, fetch: FetchBlock, options: WalkTreeOptions): Promise<WalkedTree> {
  const stop = new AbortController()
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal])
  const walk = new TreeWalk(fetch, { ...options, signal })
  try {
    await walk.run(root)
  } finally {
    stop.abort()
  }
  return { tree: walk.tree, blocks: [...walk.blocks.values()] }
}

interface Entry {
  readonly path: string
  readonly cid: CID
  readonly depth: number
}

class TreeWalk {
  readonly tree = new Map<string, Uint8Array>()
  readonly blocks = new Map<string, Block>()
  readonly #fetch: FetchBlock
  readonly #options: WalkTreeOptions
  readonly #fetching = new Map<string, Promise<Uint8Array>>()
  #entries = 0
  #fileBytes = 0
  #blockBytes = 0

  constructor(fetch: FetchBlock, options: WalkTreeOptions) {
    this.#fetch = fetch
    this.#options = options
  }

  async run(root: CID): Promise<void> {
    const pending: Entry[] = [{ path: '', cid: root, depth: 0 }]
    while (pending.length > 0) {
      const below = await Promise.all(pending.splice(-AT_ONCE).map((entry) => this.#visit(entry)))
      pending.push(...below.flat())
    }
  }

  /** Takes the file, or gives what the directory holds. */
  async #visit(entry: Entry): Promise<Entry[]> {
    const bytes = await this.#block(entry.cid)
    const node = decodeNode({ cid: entry.cid, bytes })
    if (node.kind === 'directory') return this.#children(node, entry)
    if (entry.depth === 0) throw new VerificationError(`${entry.cid} is a file, not a directory`)
    await this.#file(entry)
    return []
  }

  #children({ links }: DirectoryNode, { path, cid, depth }: Entry): Entry[] {
    const { limits } = this.#options
    if (depth > limits.depth) throw new VerificationError(`the tree has more than ${limits.depth} directories one below the other`)
    this.#entries += links.length
    if (this.#entries > ENTRIES_A_FILE * limits.files + FREE_ENTRIES) throw new VerificationError('the tree has too many entries')
    const names = new Set<string>()
    for (const { name } of links) {
      if (!isFileName(name)) throw new VerificationError(`directory ${cid} has an entry that is no file's name: ${JSON.stringify(name)}`)
      if (names.has(name)) throw new VerificationError(`directory ${cid} has two entries named ${JSON.stringify(name)}`)
      names.add(name)
    }
    return links.map((link) => ({ path: path === '' ? link.name : `${path}/${link.name}`, cid: link.cid, depth: depth + 1 }))
  }

  async #file({ path, cid }: Entry): Promise<void> {
    const { limits, window, signal } = this.#options
    const parts: Uint8Array[] = []
    const fetch: FetchBlock = (block) => this.#block(block)
    for await (const { bytes, data } of walkFile(cid, fetch, { maxSize: limits.bytes - this.#fileBytes, window, signal })) {
      parts.push(bytes.subarray(data.offset, data.offset + data.length))
    }
    const content = Buffer.concat(parts)
    this.#fileBytes += content.length
    if (this.#fileBytes > limits.bytes) throw new VerificationError(`the tree has more than ${limits.bytes} bytes`)
    this.tree.set(path, content)
    if (this.tree.size > limits.files) throw new VerificationError(`the tree has more than ${limits.files} files`)
  }

  async #block(cid: CID): Promise<Uint8Array> {
    const key = cid.toString()
    const known = this.blocks.get(key)
    if (known !== undefined) return known.bytes
    let fetching = this.#fetching.get(key)
    if (fetching === undefined) {
      fetching = this.#fetch(cid, { signal: this.#options.signal })
      this.#fetching.set(key, fetching)
    }
    const bytes = await fetching.finally(() => this.#fetching.delete(key))
    if (!this.blocks.has(key)) this.#take({ cid, bytes }, key)
    return bytes
  }

  #take(block: Block, key: string): void {
    const { limits } = this.#options
    this.blocks.set(key, block)
    this.#blockBytes += block.bytes.length
    if (this.#blockBytes > limits.bytes + BYTES_AN_ENTRY * (ENTRIES_A_FILE * limits.files + FREE_ENTRIES)) {
      throw new VerificationError('the blocks of the tree are too large')
    }
  }
}
