import { encode, prepare, type PBLink } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import type { CID } from 'multiformats/cid'
import type { Tree } from '../node.ts'
import { cidOf, DAG_PB, RAW, sha256, type Block } from './block.ts'
import { chunkHashesOf, chunksOf, layoutFile } from './file-layout.ts'
import { isFileName } from './name.ts'

/** Above it `unixfs-v1-2025` shards a directory (HAMT), which Disco does not. In bytes; some 2,000 entries named by digests. */
export const MAX_DIRECTORY_SIZE: number = 256 * 1024

export class DirectoryTooLargeError extends Error {
  override readonly name = 'DirectoryTooLargeError'

  constructor(entries: number) {
    super(`a directory of ${entries} entries takes more than ${MAX_DIRECTORY_SIZE} bytes, and sharded directories are not supported`)
  }
}

export interface TreeLayout {
  readonly root: CID
  /** Every block, children before their parents, the root last. */
  readonly blocks: readonly Block[]
}

type Directory = Map<string, Directory | Uint8Array>

/**
 * Lays out a tree of small files under the profile `unixfs-v1-2025`.
 *
 * @throws TypeError when a path is not one of a tree; DirectoryTooLargeError
 */
export function layoutTree(tree: Tree): TreeLayout {
  const blocks: Block[] = []
  const { Hash: root } = directoryLink('', nest(tree), blocks)
  return { root, blocks }
}

function nest(tree: Tree): Directory {
  const root: Directory = new Map()
  for (const [path, content] of tree) {
    const names = path.split('/')
    const last = names.pop() ?? ''
    if (![...names, last].every(isFileName)) throw new TypeError(`not a path in a tree: ${path}`)
    let directory = root
    for (const name of names) {
      const below: Directory | Uint8Array = directory.get(name) ?? new Map()
      if (below instanceof Uint8Array) throw new TypeError(`both a file and a directory: ${path}`)
      directory.set(name, below)
      directory = below
    }
    if (directory.has(last)) throw new TypeError(`both a file and a directory: ${path}`)
    directory.set(last, content)
  }
  return root
}

function directoryLink(Name: string, directory: Directory, blocks: Block[]): PBLink {
  const links = [...directory].map(([name, child]) =>
    child instanceof Uint8Array ? fileLink(name, child, blocks) : directoryLink(name, child, blocks),
  )
  const bytes = encode(prepare({ Data: new UnixFS({ type: 'directory' }).marshal(), Links: links }))
  if (bytes.length > MAX_DIRECTORY_SIZE) throw new DirectoryTooLargeError(links.length)
  const Hash = cidOf(DAG_PB, sha256(bytes))
  blocks.push({ cid: Hash, bytes })
  return { Name, Hash, Tsize: links.reduce((total, { Tsize = 0 }) => total + Tsize, bytes.length) }
}

function fileLink(Name: string, content: Uint8Array, blocks: Block[]): PBLink {
  const { root, nodes, dagSize } = layoutFile(chunkHashesOf(content), content.length)
  if (content.length === 0) blocks.push({ cid: root, bytes: content })
  for (const chunk of chunksOf(content)) blocks.push({ cid: cidOf(RAW, sha256(chunk)), bytes: chunk })
  blocks.push(...nodes)
  return { Name, Hash: root, Tsize: dagSize }
}
