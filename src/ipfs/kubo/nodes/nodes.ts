import { createHash } from 'node:crypto'
import type { AbortOptions, ByteRange } from '../../../storage/object-store.ts'
import { StorageFailedError } from '../../../storage/errors.ts'
import { Damage } from './damage.ts'
import { KuboDownError, KuboIncompleteError, KuboRefusedError } from './errors.ts'
import { isAbsence, type KuboNode, type MfsStat } from './node.ts'

/** Where something was found. */
export interface Found<T> {
  readonly node: KuboNode
  readonly found: T
}

/** An object's path as MFS has it. */
export function mfsPath(path: string): string {
  return `/${path}`
}

/** The Kubos of one registry, with the original's routing: what was written by it is looked for where it put it. */
export class KuboNodes {
  /** In the order of the configuration, which the routing goes by. */
  readonly all: readonly KuboNode[]
  /** Whether each is known to have nothing but what routes to it. */
  isSettled: boolean
  readonly #damage = new Damage()

  constructor(nodes: readonly KuboNode[]) {
    if (nodes.length === 0) throw new RangeError('no IPFS node')
    this.all = nodes
    this.isSettled = nodes.length === 1
  }

  /** The node to which the object at a path, or all that is below it, is written. */
  nodeOf(path: string): KuboNode {
    const node = this.all[routeOf(path, this.all.length)]
    if (node === undefined) throw new RangeError('no IPFS node')
    return node
  }

  /** Whether a node may have something at a path, or below it: what is there is not known without its word. */
  mayHave(node: KuboNode, path: string): boolean {
    return !this.isSettled || !isOfOne(path) || node === this.nodeOf(path)
  }

  /** That node, and then the others. */
  inOrder(path: string): readonly KuboNode[] {
    const first = this.nodeOf(path)
    return [first, ...this.all.filter((node) => node !== first)]
  }

  /**
   * What the node of a path has, or another where it has nothing or is down. Undefined only where all that may have
   * something have said that they have nothing.
   *
   * @throws StorageFailedError
   */
  async find<T>(path: string, ask: (node: KuboNode) => Promise<T | undefined>, { signal }: AbortOptions = {}): Promise<Found<T> | undefined> {
    let failure: unknown
    for (const node of this.inOrder(path)) {
      try {
        const found = await ask(node)
        if (found !== undefined) return { node, found }
      } catch (error) {
        signal?.throwIfAborted()
        if (this.mayHave(node, path)) failure ??= error
      }
    }
    if (failure !== undefined) throw failed(failure)
    return undefined
  }

  /** The file at an object's path, and where. One that a read has found to be incomplete is none until it is whole again. @throws StorageFailedError */
  stat(path: string, options: AbortOptions = {}): Promise<Found<MfsStat> | undefined> {
    return this.find(path, async (node) => {
      const found = await node.stat(mfsPath(path), options)
      if (found === undefined || found.directory) return undefined
      return (await this.#damage.lasts(node, mfsPath(path), options)) ? undefined : found
    }, options)
  }

  /**
   * The bytes of a file; nothing where there is none, of which `found` is not called. Where a node goes away in the
   * middle, another that has the file gives the rest.
   *
   * @throws StorageFailedError, also in the middle
   */
  async *read(path: string, { start = 0, length, signal }: ByteRange & AbortOptions, found: () => void): AsyncGenerator<Uint8Array, void, undefined> {
    let passed = 0
    let failure: unknown
    for (const node of this.inOrder(path)) {
      try {
        const range = { start: start + passed, length: length === undefined ? undefined : length - passed }
        for await (const chunk of node.read(mfsPath(path), { ...range, signal })) {
          found()
          passed += chunk.byteLength
          yield chunk
        }
        found()
        return
      } catch (error) {
        signal?.throwIfAborted()
        if (isBeyond(error)) return found()
        if (error instanceof KuboIncompleteError) this.#damage.note(node, mfsPath(path))
        // Where a part of it was, the rest is not proven to be nowhere.
        if (passed > 0 || (!isNoFile(error) && this.mayHave(node, path))) failure ??= error
      }
    }
    if (failure !== undefined) throw failed(failure)
  }

  /** A small file as a whole; undefined where there is none. @throws StorageFailedError */
  async get(path: string, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    let found = false
    const chunks: Uint8Array[] = []
    for await (const chunk of this.read(path, options, () => (found = true))) chunks.push(new Uint8Array(chunk))
    return found ? Buffer.concat(chunks) : undefined
  }

  close(): void {
    for (const node of this.all) node.close()
  }
}

/**
 * Which of `nodes` a path belongs to, as the original has it: the MD5, as a big-endian integer, modulo their number, of
 * the first segment of a repository's name or of a blob's hex.
 */
export function routeOf(path: string, nodes: number): number {
  if (nodes === 1) return 0
  const hash = createHash('md5').update(idOf(path.split('/'))).digest('hex')
  return Number(BigInt(`0x${hash}`) % BigInt(nodes))
}

/** Whether a path is at, or below, what is routed as a whole: a repository's first segment, a blob. */
function isOfOne(path: string): boolean {
  return idOf(path.split('/')) !== ''
}

function idOf(segments: readonly string[]): string {
  const [, , , kind, first = '', , third = ''] = segments
  return kind === 'blobs' ? third : first
}

/**
 * What of Kubo's went wrong, for who asked for an object.
 *
 * @param writing a node without room can't even be read: that is told as what it is, but only who writes is told to bring less
 */
export function failed(error: unknown, writing = false): unknown {
  if (error instanceof KuboIncompleteError) return new StorageFailedError(error.message, { summary: 'an IPFS node has lost a part of it' })
  if (!(error instanceof KuboDownError || error instanceof KuboRefusedError)) return error
  if (error instanceof KuboRefusedError && / (no space left on device|disk quota exceeded)/.test(error.reason)) {
    return new StorageFailedError(error.message, { summary: 'an IPFS node has no room left on its disk', isFull: writing })
  }
  // Its message has the cause's in it, and is not to be told twice.
  return new StorageFailedError(error.message, { cause: error.cause, ...(error instanceof KuboDownError && { summary: 'an IPFS node does not answer' }) })
}

function isNoFile(error: unknown): boolean {
  return error instanceof KuboRefusedError && (isAbsence(error.reason) || error.reason.endsWith(' was not a file'))
}

/** A range that begins behind the end of a file is empty. */
function isBeyond(error: unknown): boolean {
  return error instanceof KuboRefusedError && error.reason.startsWith('offset was past end of file')
}
