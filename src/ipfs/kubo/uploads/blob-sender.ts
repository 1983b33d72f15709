import { dirname } from 'node:path/posix'
import type { CID } from 'multiformats/cid'
import { StorageFailedError } from '../../../storage/errors.ts'
import type { AbortOptions } from '../../../storage/object-store.ts'
import { KuboRefusedError } from '../nodes/errors.ts'
import { isMissing, type FlushOption, type KuboNode } from '../nodes/node.ts'
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

/** Sees to it that blobs are at their nodes, whole, and holds them there, each under the id of its upload. */
export class BlobSender {
  readonly #nodes: KuboNodes
  readonly #directory: string
  /** Where the directory is known to have been made. */
  readonly #ready = new WeakSet<KuboNode>()
  /** Uploads for which something may be held, as far as this process knows. */
  readonly #holding = new Map<string, KuboNode>()

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
      if ((await this.#holdIfThere(id, node, cid, options)) && (await isWhole()) === true) return
      await node.remove(place, options)
    }
    await this.#sendFile(node, place, blob, options)
  }

  /** @returns whether it could be held: a collection of garbage may have taken it */
  async #holdIfThere(id: string, node: KuboNode, cid: CID, options: AbortOptions): Promise<boolean> {
    try {
      await this.hold(id, node, cid, options)
      return true
    } catch (error) {
      if (isMissing(error)) return false
      throw error
    }
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

  /** What was linked there, by the original or by a clone, may have come in part only. */
  async #isWholeAt(node: KuboNode, path: string, at: CID, { streamed }: BlobToSend, options: AbortOptions): Promise<boolean> {
    const came = await streamed
    return (came?.cid.equals(at) === true && (await came.isWhole())) || (await node.isWhole(mfsPath(path), options)) === true
  }

  async #sendFile(node: KuboNode, place: string, { id, cid, read }: BlobToSend, { signal }: AbortOptions): Promise<void> {
    this.#holding.set(id, node)
    const sent = await this.#addTo(node, place, read, { signal })
    if (sent.equals(cid)) return
    await node.remove(place)
    throw new StorageFailedError(`the IPFS node ${node.name} made ${sent} of a blob that is ${cid}`)
  }

  async #addTo(node: KuboNode, place: string, read: BlobToSend['read'], options: AbortOptions): Promise<CID> {
    const wasReady = this.#ready.has(node)
    if (!wasReady) await node.makeDirectory(dirname(place), options)
    this.#ready.add(node)
    try {
      return await node.add(read(), { toFiles: place, ...options })
    } catch (error) {
      this.#ready.delete(node)
      // Somebody may have emptied its MFS.
      if (wasReady && error instanceof KuboRefusedError && error.reason.includes(' does not exist')) return this.#addTo(node, place, read, options)
      throw error
    }
  }

  #placeOf(id: string): string {
    return `${this.#directory}/${encodeURIComponent(id)}`
  }
}
