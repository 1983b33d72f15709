import { decode } from '@ipld/dag-pb'
import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../storage/object-store.ts'
import { ContentUnavailableError, VerificationError } from '../errors.ts'
import type { BlockReader } from '../node.ts'
import { DAG_PB, RAW, type Block } from './block.ts'
import { decodeNode, type FileNode } from './node.ts'

/** Bytes of a file from the first to the last one, both included; negative: counted from its end. */
export interface EntityBytes {
  readonly from: number
  /** @default the file's last byte */
  readonly to?: number | undefined
}

export interface ExportOptions extends AbortOptions {
  /** Just the block; the file, or the directory's own block; or everything below it. */
  readonly scope: 'block' | 'entity' | 'all'
  /** With `entity`, of a file: only what these bytes need. */
  readonly bytes?: EntityBytes | undefined
  /** Whether a block that occurs again comes again. */
  readonly duplicates: boolean
}

/** The blocks on the way from `root` down `path`, the one that it leads to last; undefined when one of them is not here or there is no such name. */
export async function resolvePath(blocks: BlockReader, root: CID, path: readonly string[], options?: AbortOptions): Promise<Block[] | undefined> {
  const found: Block[] = []
  let next: CID | undefined = root
  for (const name of [undefined, ...path]) {
    const last = found.at(-1)
    if (name !== undefined && last !== undefined) next = childOf(last, name)
    const bytes: Uint8Array | undefined = next === undefined ? undefined : await load(blocks, next, options)
    if (next === undefined || bytes === undefined) return undefined
    found.push({ cid: next, bytes })
  }
  return found
}

/** What is read for its links is verified; a raw block has none, and goes out to who verifies it. */
function load(blocks: BlockReader, cid: CID, { signal }: AbortOptions = {}): Promise<Uint8Array | undefined> {
  return blocks.get(cid, { signal, verify: cid.code !== RAW })
}

function childOf(block: Block, name: string): CID | undefined {
  try {
    const node = decodeNode(block)
    return node.kind === 'directory' ? node.links.find((link) => link.name === name)?.cid : undefined
  } catch (error) {
    if (error instanceof VerificationError) return undefined
    throw error
  }
}

/**
 * Blocks of a DAG, depth first.
 *
 * @param path blocks that come first; the last of them is the DAG's root
 * @throws ContentUnavailableError when one of them is not here; VerificationError when one is not what its CID says
 */
export async function* exportDag(blocks: BlockReader, path: readonly Block[], options: ExportOptions): AsyncGenerator<Block, void, undefined> {
  const seen = new Set<string>()
  const isNew = (cid: CID): boolean => {
    const key = Buffer.from(cid.multihash.bytes).toString('latin1')
    if (options.duplicates || !seen.has(key)) return seen.add(key) !== undefined
    return false
  }
  yield* path.filter(({ cid }) => isNew(cid))
  const root = path.at(-1)
  if (root === undefined || options.scope === 'block') return
  const wanted = options.scope === 'all' ? everything : fileBytes(root, options.bytes)
  const pending: Wanted[] = wanted({ cid: root.cid, offset: 0 }, root).reverse()
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (!isNew(next.cid)) continue
    const bytes = await load(blocks, next.cid, options)
    if (bytes === undefined) throw new ContentUnavailableError(`block ${next.cid} is not here`)
    const block = { cid: next.cid, bytes }
    yield block
    pending.push(...wanted(next, block).reverse())
  }
}

interface Wanted {
  readonly cid: CID
  /** Of the file, in bytes. */
  readonly offset: number
}

type Below = (wanted: Wanted, block: Block) => Wanted[]

const everything: Below = (_, { cid, bytes }) => {
  if (cid.code !== DAG_PB) return []
  try {
    return decode(bytes).Links.map(({ Hash }) => ({ cid: Hash, offset: 0 }))
  } catch (cause) {
    // Whoever asks can put any codec before a hash.
    throw new VerificationError(`block ${cid} is not dag-pb`, { cause })
  }
}

/** A directory's own block is all that listing it needs. */
function fileBytes(root: Block, range: EntityBytes = { from: 0 }): Below {
  const file = fileOf(root)
  if (file === undefined) return () => []
  const size = file.links.reduce((sum, link) => sum + link.size, file.data.length)
  const position = (at: number): number => (at < 0 ? size + at : at)
  const from = position(range.from)
  const to = position(range.to ?? size - 1)
  return (wanted, block) => {
    const node = fileOf(block)
    let offset = wanted.offset + (node?.data.length ?? 0)
    return (node?.links ?? []).flatMap(({ cid, size: length }) => {
      const start = offset
      offset += length
      return start <= to && offset > from ? [{ cid, offset: start }] : []
    })
  }
}

function fileOf(block: Block): FileNode | undefined {
  try {
    const node = decodeNode(block)
    return node.kind === 'file' ? node : undefined
  } catch (error) {
    if (error instanceof VerificationError) return undefined
    throw error
  }
}
