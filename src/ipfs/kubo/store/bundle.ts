import { encode, prepare, type PBLink } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../../storage/object-store.ts'
import { encodeCar } from '../../car.ts'
import { cidOf, DAG_PB, RAW, sha256, type Block } from '../../unixfs/block.ts'
import { decodeNode } from '../../unixfs/node.ts'
import { DirectoryTooLargeError, layoutTree } from '../../unixfs/tree-layout.ts'
import { failed } from '../nodes/nodes.ts'
import type { KuboNode } from '../nodes/node.ts'

/** What a commit puts in a directory. */
export type Branch = Map<string, Branch | Leaf>

export interface Leaf {
  /** Undefined of a blob, which is at the node already. */
  readonly data?: Uint8Array
  readonly cid?: CID
  readonly order: number
}

/** Links of a node of the bundle at most. */
const LINKS = 4000

/**
 * All small files of a commit that go to one node, laid out by us, so that a repository has exactly the CID that it is
 * named after; under one root, by which the node holds them until they are in their places.
 */
export class Bundle {
  readonly root: CID
  readonly #blocks: readonly Block[]
  readonly #cids: ReadonlyMap<string, CID>

  constructor(branch: Branch) {
    const layouts = new Layouts()
    layouts.add('', branch)
    this.#cids = layouts.cids
    let links = layouts.roots
    const nodes: Block[] = []
    do {
      const parents: CID[] = []
      for (let i = 0; i < Math.max(1, links.length); i += LINKS) parents.push(directoryOf(links.slice(i, i + LINKS), nodes))
      links = parents
    } while (links.length > 1)
    this.root = links[0] ?? cidOf(DAG_PB, sha256(new Uint8Array()))
    this.#blocks = [...layouts.blocks, ...nodes]
  }

  /** Of a file, or of a directory that is in it as a whole; undefined of one in which something else will be as well, or too much for one block. */
  cid(path: string): CID | undefined {
    return this.#cids.get(path)
  }

  /** Gives it to a node, which holds it from then on. @throws StorageFailedError */
  async give(node: KuboNode, options: AbortOptions = {}): Promise<void> {
    await node.importCar(encodeCar(this.root, this.#blocks), { pin: true, ...options }).catch((error: unknown) => {
      throw failed(error, true)
    })
  }

  /** Lets go of it. Safe to repeat. @throws StorageFailedError */
  async release(node: KuboNode, options: AbortOptions = {}): Promise<void> {
    await node.unpin(this.root, options).catch((error: unknown) => {
      throw failed(error, true)
    })
  }
}

class Layouts {
  readonly roots: CID[] = []
  readonly blocks: Block[] = []
  readonly cids = new Map<string, CID>()

  /** As a whole where that can be, else each of what is in it. */
  add(path: string, branch: Branch): void {
    const tree = new Map<string, Uint8Array>()
    if (path !== '' && flatten(branch, '', tree) && this.#layOut(tree, path)) return
    for (const [name, child] of branch) {
      const below = path === '' ? name : `${path}/${name}`
      if (child instanceof Map) this.add(below, child)
      else if (child.data !== undefined) this.#file(below, child.data)
    }
  }

  #file(path: string, data: Uint8Array): void {
    this.#layOut(new Map([['data', data]]), path)
    const cid = this.cids.get(`${path}/data`)
    if (cid === undefined) throw new Error('laid out without its file')
    this.cids.set(path, cid)
    this.cids.delete(`${path}/data`)
  }

  #layOut(tree: ReadonlyMap<string, Uint8Array>, path: string): boolean {
    try {
      const { root, blocks } = layoutTree(tree)
      this.roots.push(root)
      this.blocks.push(...blocks)
      this.#index(path, root, new Map(blocks.map(({ cid, bytes }) => [cid.toString(), bytes])))
      return true
    } catch (error) {
      // A directory for many blocks, or a name that is none for others.
      if (error instanceof DirectoryTooLargeError || error instanceof TypeError) return false
      throw error
    }
  }

  #index(path: string, cid: CID, blocks: ReadonlyMap<string, Uint8Array>): void {
    this.cids.set(path, cid)
    const bytes = cid.code === RAW ? undefined : blocks.get(cid.toString())
    const node = bytes && decodeNode({ cid, bytes })
    if (node?.kind === 'directory') for (const link of node.links) this.#index(`${path}/${link.name}`, link.cid, blocks)
  }
}

/** The files below a branch; false where not all of them are small ones. */
function flatten(branch: Branch, prefix: string, tree: Map<string, Uint8Array>): boolean {
  for (const [name, child] of branch) {
    if (child instanceof Map) {
      if (!flatten(child, `${prefix}${name}/`, tree)) return false
    } else if (child.data === undefined) return false
    else tree.set(prefix + name, child.data)
  }
  return true
}

function directoryOf(cids: readonly CID[], blocks: Block[]): CID {
  const links: PBLink[] = cids.map((Hash, index) => ({ Name: String(index), Hash, Tsize: 0 }))
  const bytes = encode(prepare({ Data: new UnixFS({ type: 'directory' }).marshal(), Links: links }))
  const cid = cidOf(DAG_PB, sha256(bytes))
  blocks.push({ cid, bytes })
  return cid
}
