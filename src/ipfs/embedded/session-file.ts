import { randomUUID } from 'node:crypto'
import type { CID } from 'multiformats/cid'
import { createDigester, digestOf, formatDigest, sameDigest } from '../../oci/digest.ts'
import { DigestMismatchError, ObjectUnknownError, UploadUnknownError } from '../../storage/errors.ts'
import { CHUNK_SIZE, type AbortOptions, type ByteRange, type ObjectStat, type ObjectStore } from '../../storage/object-store.ts'
import { VerificationError } from '../errors.ts'
import type { FetchedFile, FileGround } from '../image-fetch.ts'
import type { WantedFile } from '../node.ts'
import { IDENTITY, RAW } from '../unixfs/block.ts'
import { layoutFile } from '../unixfs/file-layout.ts'
import { walkFile } from '../unixfs/walk-file.ts'
import type { Window } from '../unixfs/window.ts'
import type { EmbeddedDagIndex } from './dag-index.ts'
import { Progress } from './progress.ts'
import { RecentChunks } from './recent-chunks.ts'
import { rootLast, rowOf, SliceRows, type SliceRow } from './slice-row.ts'

export interface SessionFileParts extends FileGround {
  readonly store: ObjectStore
  readonly index: Pick<EmbeddedDagIndex, 'file' | 'blocks'>
  /** For chunks that are kept for those who read along. */
  readonly room: Window
}

/** Bytes at the end of a file that nobody reads before the whole has been found right. */
const WITHHELD = CHUNK_SIZE

/** One file of a session: from its blocks into an upload, or, where the object is here already, into the index alone. */
export class SessionFile implements FetchedFile {
  readonly done: Promise<{ readonly upload: string | undefined }>
  readonly wanted: WantedFile
  readonly #parts: SessionFileParts
  readonly #upload = randomUUID()
  readonly #progress = new Progress()
  readonly #recent: RecentChunks
  #rows: SliceRows | undefined = new SliceRows()
  /** The file's size, once its root is known. */
  #size: number | undefined
  /** The digest was found right before the bytes were stored. */
  #proven = false
  #failed = false

  constructor(wanted: WantedFile, parts: SessionFileParts) {
    this.wanted = wanted
    this.#parts = parts
    this.#recent = new RecentChunks(parts.room)
    this.done = this.#run()
    this.done.then(() => this.#progress.finish(), (reason: unknown) => {
      this.#failed = true
      this.#progress.fail(reason)
    }).finally(() => this.#recent.clear())
  }

  get failed(): boolean {
    return this.#failed
  }

  async *read({ start = 0, length = Infinity }: ByteRange, { signal }: AbortOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    const end = start + length
    const leave = this.#recent.readAlong()
    try {
      for (let at = start; at < end; ) {
        const readable = await this.#progress.beyond(at, signal)
        if (readable <= at) return
        for await (const chunk of this.#slice(at, Math.min(readable, end) - at, signal)) {
          yield chunk
          at += chunk.length
        }
      }
    } finally {
      leave()
    }
  }

  /** Records what was fetched. */
  async keep(options: AbortOptions): Promise<void> {
    await this.done
    if (this.#rows === undefined) return
    const { path, cid } = this.wanted
    // Where the DAG is of the profile, its root is that of the object: nobody need hash the chunks for it.
    const root = profileRoot(this.#rows, this.#size ?? 0)
    await this.#parts.index.blocks.putSlices(path, rootLast(this.#rows), { ...options, ...(root?.equals(cid) === true && { root }) })
    this.#rows = undefined
  }

  async remove(): Promise<void> {
    await this.#parts.store.uploads.remove(this.#upload)
  }

  async #run(): Promise<{ upload: string | undefined }> {
    const { store, signal, label } = this.#parts
    const { path, digest } = this.wanted
    const stat = await store.stat(path, { signal })
    if (stat !== undefined) {
      await this.#adopt(stat)
      return { upload: undefined }
    }
    await using data = this.#data()
    // The first blocks come while the upload is made.
    const first = data.next()
    first.catch(() => {})
    await store.uploads.create(this.#upload, label, { signal })
    const onProgress = (size: number): void => this.#progress.reach(this.#proven ? size : size - WITHHELD)
    const size = await store.uploads.append(this.#upload, 0, resumed(first, data), { signal, onProgress, chunkHashes: false })
    try {
      await store.uploads.verify(this.#upload, digest, { signal })
    } catch (cause) {
      if (!(cause instanceof DigestMismatchError)) throw cause
      throw new VerificationError(`file ${this.wanted.cid}: ${cause.message}`, { cause })
    }
    this.#progress.reach(size)
    return { upload: this.#upload }
  }

  /** The object is here: only which blocks it is made of may have to be learnt. */
  async #adopt({ size }: ObjectStat): Promise<void> {
    const { index, signal } = this.#parts
    const { cid, path, digest, size: wanted } = this.wanted
    if (typeof wanted === 'number' ? size !== wanted : size > wanted.atMost) throw new VerificationError(`${formatDigest(digest)} has ${size} bytes`)
    this.#size = size
    this.#progress.reach(size)
    if ((await index.blocks.has(cid, { signal })) || (await index.file(path, { signal })).equals(cid)) {
      this.#rows = undefined
      return
    }
    const digester = createDigester(digest.algorithm)
    for await (const data of this.#data()) digester.update(data)
    if (digester.digest('hex') !== digest.hex) throw new VerificationError(`file ${cid} is not ${formatDigest(digest)}`)
  }

  async *#data(): AsyncGenerator<Uint8Array, void, undefined> {
    const { fetch, window, signal } = this.#parts
    const { cid, digest, size } = this.wanted
    const bound = typeof size === 'number' ? { size } : { size: this.#size, maxSize: size.atMost }
    let offset = 0
    for await (const block of walkFile(cid, fetch, { ...bound, window, signal })) {
      this.#size ??= block.size
      if (block.cid.multihash.code !== IDENTITY) this.#rows?.add(rowOf(block, offset))
      const { data, bytes } = block
      const content = bytes.subarray(data.offset, data.offset + data.length)
      // A manifest or config is one block, for which a client need not wait until it is durable.
      if (offset === 0 && data.length === this.#size) this.#proven = sameDigest(digestOf(content, digest.algorithm), digest)
      offset += data.length
      if (data.length > 0) yield content
      // The links of a node are views of its bytes; a raw leaf has none.
      if (block.cid.code === RAW && block.cid.multihash.code !== IDENTITY) this.#recent.add(offset - data.length, bytes)
    }
  }

  /** What has just come from memory; the rest from the upload, or from the object, when it has become one or was one before. */
  async *#slice(start: number, length: number, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void, undefined> {
    const { store } = this.#parts
    const recent = this.#recent.hold(start)
    if (recent !== undefined) {
      try {
        yield recent.bytes.subarray(0, length)
      } finally {
        recent.release()
      }
      return
    }
    let passed = 0
    try {
      for await (const chunk of store.uploads.read(this.#upload, { start, length, signal })) {
        passed += chunk.length
        yield chunk
      }
    } catch (error) {
      if (!(error instanceof UploadUnknownError)) throw error
    }
    if (passed === length) return
    try {
      yield* store.read(this.wanted.path, { start: start + passed, length: length - passed, signal })
    } catch (cause) {
      if (!(cause instanceof ObjectUnknownError)) throw cause
      throw new Error(`the fetch of ${this.wanted.cid} was given up`, { cause })
    }
  }
}

async function* resumed<T>(first: Promise<IteratorResult<T, void>>, rest: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  const { value, done } = await first
  if (done !== true) yield value
  yield* rest
}

/** The root under the profile, where the blocks that carry the file are its chunks as they are. */
function profileRoot(rows: Iterable<SliceRow>, size: number): CID | undefined {
  const hashes: Uint8Array[] = []
  for (const { hash, offset, length, head, tail } of rows) {
    if (length === 0) continue
    const chunk = Math.min(CHUNK_SIZE, size - offset)
    if (offset !== hashes.length * CHUNK_SIZE || length !== chunk || head.length + tail.length > 0) return undefined
    hashes.push(hash)
  }
  return hashes.length === Math.ceil(size / CHUNK_SIZE) ? layoutFile(Buffer.concat(hashes), size).root : undefined
}
