import { dirname } from 'node:path/posix'
import type { CID } from 'multiformats/cid'
import { StorageFailedError } from '../../../storage/errors.ts'
import type { AbortOptions } from '../../../storage/object-store.ts'
import type { FlushOption, KuboNode } from '../nodes/node.ts'
import { mfsPath, type KuboNodes } from '../nodes/nodes.ts'
import type { StreamedBlob } from './upload-stream.ts'

export interface BlobToSend {
  /** Of the upload. */
  readonly id: string
  /** Where its object goes. */
  readonly path: string
  /** What it has to be under the profile. */
  readonly cid: CID
  readonly read: () => AsyncIterable<Uint8Array>
  readonly streamed: Promise<StreamedBlob | undefined>
}

/** How long what a node holds for an upload that nobody knows is left alone, in milliseconds: it may be about to be known. */
const PATIENCE = 60 * 60 * 1000

/** Sees to it that blobs are at their nodes, whole, and holds them there, each under the id of its upload. */
export class BlobSender {
  readonly #nodes: KuboNodes
  readonly #directory: string
  /** Where the directory is known to have been made. */
  readonly #ready = new WeakSet<KuboNode>()
  /** Uploads for which something may be held, as far as this process knows. */
  readonly #holding = new Map<string, KuboNode>()
  /** Since when what is held was for nobody, in milliseconds since the epoch. */
  readonly #unknown = new Map<string, number>()

  /** @param directory in the MFS of each node, this registry's own */
  constructor(nodes: KuboNodes, directory: string) {
    this.#nodes = nodes
    this.#directory = directory
  }

  /**
   * @returns where it is held; undefined: it is at its path already
   * @throws StorageFailedError when the node makes another DAG of it
   */
  async send(blob: BlobToSend, options: AbortOptions): Promise<string | undefined> {
    const { id, path, cid } = blob
    const node = this.#nodes.nodeOf(path)
    const place = this.#placeOf(id)
    const [there, before] = await Promise.all([node.stat(mfsPath(path), options), node.stat(place, options)])
    const isThere = there?.directory === false
    if (isThere && (await this.#isWholeAt(node, path, there.cid, blob, options))) return undefined
    await this.#sendTo(node, place, before?.cid, blob, options)
    // What has the name without the bytes is of no use to anybody.
    if (isThere) await node.link(cid, mfsPath(path), { ...options, force: true, flush: true })
    return place
  }

  /** Sends it, unless the node has it whole already, and holds it. */
  async #sendTo(node: KuboNode, place: string, before: CID | undefined, blob: BlobToSend, options: AbortOptions): Promise<void> {
    const { id, cid } = blob
    if (before?.equals(cid) === true && (await node.isWhole(place, options)) === true) return
    if (before !== undefined) await node.remove(place, options)
    const streamed = await blob.streamed
    const isWhole = streamed?.cid.equals(cid) === true ? streamed.isWhole : (await node.hasBlock(cid, options)) ? () => node.isWhole(place, options) : undefined
    if (isWhole !== undefined) {
      await this.hold(id, node, cid, options)
      if ((await isWhole()) === true) return
      await node.remove(place, options)
    }
    await this.#sendFile(node, place, blob, options)
  }

  /** The blob that the node of its path has whole, under whatever CID. @throws StorageFailedError where it has no more */
  async keep(id: string, path: string, cid: CID, options: AbortOptions): Promise<string | undefined> {
    const node = this.#nodes.nodeOf(path)
    if ((await node.isWhole(mfsPath(path), options)) === true) return undefined
    if ((await node.stat(this.#placeOf(id), options))?.cid.equals(cid) !== true) {
      if (!(await node.hasWhole(cid, options))) throw new StorageFailedError(`${node.name} has lost ${cid}, which was to become ${path}`)
      await this.hold(id, node, cid, options)
    }
    return this.#placeOf(id)
  }

  /** Holds what the node has. */
  async hold(id: string, node: KuboNode, cid: CID, options: FlushOption): Promise<void> {
    this.#holding.set(id, node)
    await node.link(cid, this.#placeOf(id), options)
  }

  async letGo(id: string): Promise<void> {
    await this.#holding.get(id)?.remove(this.#placeOf(id))
    this.#holding.delete(id)
  }

  /** Lets go of what nobody has known for a while. @returns how many */
  async letGoOf(isUnknown: (id: string) => Promise<boolean>, options: AbortOptions, patience: number = PATIENCE): Promise<number> {
    let gone = 0
    for (const node of this.#nodes.all) {
      for (const { name } of (await node.list(this.#directory, options)) ?? []) {
        if (!(await isUnknown(decodeURIComponent(name)))) continue
        const since = this.#unknown.get(name) ?? Date.now()
        this.#unknown.set(name, since)
        if (Date.now() - since < patience) continue
        await node.remove(`${this.#directory}/${name}`, options)
        this.#unknown.delete(name)
        gone++
      }
    }
    return gone
  }

  /** What was linked there, by the original or by a clone, may have come in part only. */
  async #isWholeAt(node: KuboNode, path: string, at: CID, { streamed }: BlobToSend, options: AbortOptions): Promise<boolean> {
    return (await streamed)?.cid.equals(at) === true || (await node.isWhole(mfsPath(path), options)) === true
  }

  async #sendFile(node: KuboNode, place: string, { id, cid, read }: BlobToSend, { signal }: AbortOptions): Promise<void> {
    if (!this.#ready.has(node)) await node.makeDirectory(dirname(place), { signal })
    this.#ready.add(node)
    this.#holding.set(id, node)
    let sent: CID
    try {
      sent = await node.add(read(), { toFiles: place, signal })
    } catch (error) {
      // Somebody may have emptied its MFS.
      this.#ready.delete(node)
      throw error
    }
    if (sent.equals(cid)) return
    await node.remove(place)
    throw new StorageFailedError(`the IPFS node ${node.name} made ${sent} of a blob that is ${cid}`)
  }

  #placeOf(id: string): string {
    return `${this.#directory}/${encodeURIComponent(id)}`
  }
}
