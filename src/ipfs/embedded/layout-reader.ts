import { createHash, type Hash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../storage/object-store.ts'
import { VerificationError } from '../errors.ts'
import { cidOf, DAG_PB, inlined, MAX_BLOCK_SIZE, SHA2_256, sha256, verifyBlock, type Block } from '../unixfs/block.ts'
import { walkFile, type FetchBlock } from '../unixfs/walk-file.ts'
import { Window } from '../unixfs/window.ts'
import { BLOCKS_A_TURN, FILE, MAGIC, MAX_RECORD, SAME, TREE, WRITTEN } from './layout-record.ts'
import { rowOf, SliceRows } from './slice-row.ts'

/** Of one image: the blocks of its tree, or which slices of one of its files are which blocks. */
export type LaidOut = { readonly tree: readonly Block[] } | { readonly file: CID; readonly rows: SliceRows }

/** A tree's blocks at most: many times what an image's has. */
const MAX_TREE_BLOCKS = 100_000
const MAX_TREE_BYTES = 64 * 1024 * 1024

/**
 * Reads a record, section by section; nothing of one is given before all of it was held against its hash, and each node
 * against its CID. What is before and behind a file's bytes in a leaf can't be: whoever reads the block holds it against its CID.
 *
 * @param sizeOf bytes of the image's file with that root. @throws VerificationError where the image has none
 * @throws VerificationError where the record is cut off, damaged, or not what Disco writes
 */
export async function* readLayout(record: AsyncIterable<Uint8Array>, sizeOf: (file: CID) => Promise<number>, options: AbortOptions = {}): AsyncGenerator<LaidOut, void, undefined> {
  await using bytes = new RecordBytes(record)
  if (!(await bytes.take(MAGIC.length)).equals(MAGIC)) throw new VerificationError('it is no layout that this version of Disco knows')
  while (!(await bytes.isAtEnd())) {
    bytes.begin()
    const kind = await bytes.byte()
    if (kind !== TREE && kind !== FILE) throw new VerificationError(`a section of kind ${kind}`)
    const section = kind === TREE ? { tree: await readTree(bytes) } : await readFile(bytes, sizeOf, options)
    await bytes.end()
    yield section
  }
}

async function readTree(bytes: RecordBytes): Promise<Block[]> {
  const count = await bytes.number(MAX_TREE_BLOCKS)
  const blocks: Block[] = []
  let total = 0
  for (let index = 0; index < count; index++) {
    const block = await bytes.take(await bytes.number(MAX_BLOCK_SIZE))
    total += block.length
    if (total > MAX_TREE_BYTES) throw new VerificationError('a tree that is too large')
    // Which codec it has, whoever links to it says; what is kept goes by the hash.
    blocks.push({ cid: cidOf(DAG_PB, sha256(block)), bytes: block })
  }
  return blocks
}

async function readFile(bytes: RecordBytes, sizeOf: (file: CID) => Promise<number>, { signal }: AbortOptions): Promise<{ file: CID; rows: SliceRows }> {
  const file = decodeCid(await bytes.take(await bytes.byte()))
  const size = await sizeOf(file)
  const rows = new SliceRows()
  let met = 0
  let last: Hollow | undefined
  let current: Hollow | undefined
  const fetch: FetchBlock = async (cid) => {
    const inline = inlined(cid)
    current = undefined
    if (inline !== undefined) return inline
    if (cid.multihash.code !== SHA2_256) throw new VerificationError(`block ${cid} has a hash that is not supported`)
    if (++met % BLOCKS_A_TURN === 0) await setImmediate()
    const tag = await bytes.byte()
    current = tag === SAME ? last : tag === WRITTEN ? await readHollow(bytes) : undefined
    if (current === undefined) throw new VerificationError(`a block with the mark ${tag}`)
    if (current.length > 0) last = current
    const { head, length, tail } = current
    const block = Buffer.allocUnsafeSlow(head.length + length + tail.length)
    block.set(head)
    block.set(tail, head.length + length)
    if (length === 0) verifyBlock(cid, block)
    return block
  }
  let offset = 0
  // With nothing fetched ahead it asks for blocks in the order in which they are written.
  for await (const block of walkFile(file, fetch, { size, window: new Window(0), signal })) {
    if (current !== undefined) {
      if (block.data.length !== current.length || (current.length > 0 && block.data.offset !== current.head.length)) {
        throw new VerificationError(`block ${block.cid} has its bytes elsewhere`)
      }
      rows.add(rowOf(block, offset))
    }
    offset += block.data.length
  }
  return { file, rows }
}

/** A block without the bytes of its file. */
interface Hollow {
  readonly head: Buffer
  readonly length: number
  readonly tail: Buffer
}

async function readHollow(bytes: RecordBytes): Promise<Hollow> {
  const before = await bytes.number(MAX_BLOCK_SIZE)
  const length = await bytes.number(MAX_BLOCK_SIZE - before)
  const behind = await bytes.number(MAX_BLOCK_SIZE - before - length)
  return { head: await bytes.take(before), length, tail: await bytes.take(behind) }
}

function decodeCid(bytes: Uint8Array): CID {
  try {
    return CID.decode(bytes)
  } catch (cause) {
    throw new VerificationError('a root that is no CID', { cause })
  }
}

/** The bytes of a record, as many at a time as are asked for. */
class RecordBytes {
  readonly #source: AsyncIterator<Uint8Array>
  #chunk: Uint8Array = new Uint8Array()
  #hash: Hash = createHash('sha256')
  #come = 0

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.return?.()
  }

  /** Begins a section. */
  begin(): void {
    this.#hash = createHash('sha256')
  }

  /** Ends it. @throws VerificationError when it does not have the hash behind it */
  async end(): Promise<void> {
    const hash = this.#hash.digest()
    this.begin()
    if (!hash.equals(await this.take(hash.length))) throw new VerificationError('a section that is damaged')
  }

  async isAtEnd(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const { value, done } = await this.#source.next()
      if (done === true) return true
      this.#chunk = value
      this.#come += value.length
      if (this.#come > MAX_RECORD) throw new VerificationError('a layout that is too large')
    }
    return false
  }

  /** Exactly so many, the caller's own. @throws VerificationError when there are not as many */
  async take(length: number): Promise<Buffer> {
    const taken = Buffer.alloc(length)
    for (let at = 0; at < length; ) {
      if (await this.isAtEnd()) throw new VerificationError('it is cut off')
      const part = this.#chunk.subarray(0, length - at)
      taken.set(part, at)
      this.#chunk = this.#chunk.subarray(part.length)
      at += part.length
    }
    this.#hash.update(taken)
    return taken
  }

  async byte(): Promise<number> {
    return (await this.take(1)).readUInt8()
  }

  /** @throws VerificationError when it is more than `most` */
  async number(most: number): Promise<number> {
    const value = (await this.take(4)).readUInt32BE()
    if (value > most) throw new VerificationError(`a length of ${value}`)
    return value
  }
}
