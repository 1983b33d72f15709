import { randomBytes } from 'node:crypto'
import { encode, prepare } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import * as Multihash from 'multiformats/hashes/digest'
import type { AbortOptions } from '../../../storage/object-store.ts'
import { DAG_PB, IDENTITY } from '../../unixfs/block.ts'
import type { KuboNode } from './node.ts'

/** What has come of a DAG so far. */
export interface HoldProgress {
  readonly bytes: number
  readonly blocks: number
}

/** The pins' name at the nodes, for who looks at them. */
const NAME = 'disco-clone'

/** What one process of a Disco holds at nodes that others use as well: in its name is whose it is. */
export class KuboHolds {
  readonly #owner: string
  readonly #run: string

  /** @param owner its data directory's name */
  constructor(owner: string) {
    this.#owner = `disco-${owner}-`
    this.#run = `${this.#owner}${randomBytes(8).toString('hex')}-`
  }

  of(node: KuboNode, held: CID): KuboHold {
    return new KuboHold(node, holdingCid(`${this.#run}${randomBytes(8).toString('hex')}`, held))
  }

  /** Lets go of what was held by processes before this one, which were killed. @returns how many */
  async releaseLeft(node: KuboNode, options: AbortOptions = {}): Promise<number> {
    const { Keys } = await node.rpc.json<{ Keys: Record<string, unknown> | null }>('pin/ls', { type: 'recursive', quiet: true }, options)
    const left = Object.keys(Keys ?? {}).map((text) => CID.parse(text)).filter((cid) => this.#isLeft(cid))
    for (const cid of left) await node.unpin(cid, options)
    return left.length
  }

  #isLeft({ multihash }: CID): boolean {
    if (multihash.code !== IDENTITY) return false
    const directory = Buffer.from(multihash.digest)
    return directory.includes(this.#owner) && !directory.includes(this.#run)
  }
}

/**
 * A DAG at a node while it is fetched, and until something else holds it: no collection of garbage takes a block of it.
 *
 * A pin, but not of the DAG itself, which somebody may have pinned already, or unpin: of a directory with a name of its
 * own that links it. The directory is all in its CID (identity), so that nobody has to store it, and nothing can lose it.
 */
export class KuboHold {
  readonly cid: CID
  readonly #node: KuboNode
  #asked = false

  /** @param cid of the directory: see `KuboHolds` */
  constructor(node: KuboNode, cid: CID) {
    this.#node = node
    this.cid = cid
  }

  /** Fetches whatever of it the node lacks, from whoever has it. @throws KuboDownError, KuboRefusedError */
  async fetch(onProgress: (progress: HoldProgress) => void, { signal }: AbortOptions = {}): Promise<void> {
    this.#asked = true
    const options = { arg: this.cid.toString(), name: NAME, progress: true, 'fast-provide-root': false, 'fast-provide-dag': false }
    let rest = ''
    for await (const chunk of this.#node.rpc.stream('pin/add', options, { signal })) {
      const lines = (rest + Buffer.from(chunk).toString('latin1')).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const { Progress: blocks, Bytes: bytes } = JSON.parse(line) as { Progress?: number; Bytes?: number }
        if (blocks !== undefined && bytes !== undefined) onProgress({ bytes, blocks })
      }
    }
  }

  /** Stores blocks of the DAG, which have to make it whole, and holds it. @throws KuboDownError, KuboRefusedError */
  async store(car: AsyncIterable<Uint8Array>, options?: AbortOptions): Promise<void> {
    this.#asked = true
    await this.#node.importCar(car, { ...options, pin: true })
  }

  async release(): Promise<void> {
    if (!this.#asked) return
    this.#asked = false
    await this.#node.unpin(this.cid)
  }
}

function holdingCid(Name: string, held: CID): CID {
  const bytes = encode(prepare({ Data: new UnixFS({ type: 'directory' }).marshal(), Links: [{ Name, Hash: held, Tsize: 0 }] }))
  return CID.createV1(DAG_PB, Multihash.create(IDENTITY, bytes))
}
