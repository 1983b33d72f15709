import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../storage/object-store.ts'
import { VerificationError } from '../errors.ts'
import type { Block } from './block.ts'
import { decodeNode, type FileNode, type Slice } from './node.ts'
import type { Window } from './window.ts'

/** Gives verified blocks. */
export type FetchBlock = (cid: CID, options: AbortOptions) => Promise<Uint8Array>

export interface FileBlock extends Block {
  /** What of the file the block carries; the file's bytes are those of all blocks, in order. */
  readonly data: Slice
  /** Bytes of the file that the block stands for: its own and those below it. The first block's is the file's size. */
  readonly size: number
}

export interface WalkFileOptions extends AbortOptions {
  /** Bytes that the file must have, exactly. @default what its root says, up to `maxSize` */
  readonly size?: number | undefined
  /** @default no limit beside `size` */
  readonly maxSize?: number | undefined
  readonly window: Window
}

interface Pending {
  readonly cid: CID
  /** What its parent claims; unknown for a root. */
  readonly size: number | undefined
  readonly depth: number
  bytes?: Promise<Uint8Array>
  /** It holds a place of the window. */
  ahead?: boolean
}

/** Blocks of one file fetched ahead at most. */
const LOOK_AHEAD = 8

/**
 * What a DAG may cost beside the bytes of its file, so that one from a stranger ends. Generous: leaves of 16 KiB are
 * far below it, and Kubo's smallest default is 256 KiB.
 */
const MAX_DEPTH = 64
const MAX_PENDING = 65_536
const FREE_BLOCKS = 256
const BYTES_A_BLOCK = 1024
const FREE_OVERHEAD = 1024 * 1024
const BYTES_AN_OVERHEAD = 64

/** The most blocks that a DAG may have, by the bytes of its file, and the most bytes beside them. */
export const DAG_LIMITS: { blocks(data: number): number; overhead(data: number): number } = {
  blocks: (data) => FREE_BLOCKS + data / BYTES_A_BLOCK,
  overhead: (data) => FREE_OVERHEAD + data / BYTES_AN_OVERHEAD,
}

/**
 * Every block of a file's DAG, of whatever layout, nodes before what is below them and data in the file's order.
 *
 * @throws VerificationError as soon as the DAG is not one of a file of that size
 */
export async function* walkFile(root: CID, fetch: FetchBlock, options: WalkFileOptions): AsyncGenerator<FileBlock, void, undefined> {
  const { window } = options
  const stop = new AbortController()
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal])
  const cost = new Cost(root)
  /** Depth first: the next block is the last. */
  const pending: Pending[] = [{ cid: root, size: options.size, depth: 0 }]

  const begin = (block: Pending): Promise<Uint8Array> => {
    if (block.bytes === undefined) {
      block.bytes = fetch(block.cid, { signal })
      // Whether it failed is asked when its turn comes, which may be never.
      block.bytes.catch(() => {})
    }
    return block.bytes
  }
  const finish = (block: Pending): void => {
    if (block.ahead === true) window.give()
    block.ahead = false
  }

  try {
    for (let next = pending.at(-1); next !== undefined; next = pending.at(-1)) {
      options.signal?.throwIfAborted()
      const fetched = begin(next)
      for (const later of pending.slice(-LOOK_AHEAD, -1).reverse()) {
        if (later.bytes !== undefined) continue
        if (!window.take()) break
        later.ahead = true
        void begin(later)
      }
      const block = { cid: next.cid, bytes: await fetched }
      const node = decodeNode(block)
      if (node.kind === 'directory') throw new VerificationError(`${next.cid} is a directory, not a file`)
      const size = checkedSize(node, next, options.maxSize)
      cost.add(block.bytes.length, node.data.length)
      yield { ...block, data: node.data, size }
      pending.pop()
      finish(next)
      const depth = next.depth + 1
      if (node.links.length > 0 && depth > MAX_DEPTH) throw cost.refuse('it is too deep')
      if (pending.length + node.links.length > MAX_PENDING) throw cost.refuse('its nodes have too many links')
      for (const link of node.links.toReversed()) pending.push({ ...link, depth })
    }
  } finally {
    stop.abort()
    pending.forEach(finish)
  }
}

function checkedSize({ data, links }: FileNode, { cid, size }: Pending, maxSize = Infinity): number {
  const actual = links.reduce((total, link) => total + link.size, data.length)
  if (size !== undefined && actual !== size) throw new VerificationError(`block ${cid} stands for ${actual} bytes, not ${size}`)
  if (actual > maxSize) throw new VerificationError(`file ${cid} has ${actual} bytes; at most ${maxSize} are taken`)
  return actual
}

class Cost {
  readonly #root: CID
  #data = 0
  #blocks = 0
  #overhead = 0

  constructor(root: CID) {
    this.#root = root
  }

  add(bytes: number, data: number): void {
    this.#blocks++
    this.#data += data
    this.#overhead += bytes - data
    if (this.#blocks > DAG_LIMITS.blocks(this.#data)) throw this.refuse('it has too many blocks for its data')
    if (this.#overhead > DAG_LIMITS.overhead(this.#data)) throw this.refuse('its blocks are too large for their data')
  }

  refuse(reason: string): VerificationError {
    return new VerificationError(`the DAG of file ${this.#root} is refused: ${reason}`)
  }
}
