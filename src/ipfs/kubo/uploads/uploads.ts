import { randomBytes } from 'node:crypto'
import { formatDigest, sameDigest, type Digest } from '../../../oci/digest.ts'
import { DigestMismatchError, StorageFailedError, UploadBusyError } from '../../../storage/errors.ts'
import type { EmbeddedStore } from '../../../storage/embedded/store.ts'
import type { CheckedUpload } from '../../../storage/embedded/uploads.ts'
import type { Statement } from '../../../storage/embedded/statement.ts'
import type { AbortOptions, AppendOptions, ByteRange, FinishedUpload, ListOptions, UploadStat } from '../../../storage/object-store.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import { layoutFile } from '../../unixfs/file-layout.ts'
import { ADOPTED_TABLES, AdoptedUploads, type AdoptedBlob } from './adopted-uploads.ts'
import { LeftOvers } from '../nodes/left-overs.ts'
import type { MfsEntry } from '../nodes/node.ts'
import { failed, type KuboNodes } from '../nodes/nodes.ts'
import { BlobSender } from './blob-sender.ts'
import type { SendingUploads, SentBlob } from './sent-blob.ts'
import { UploadStreams } from './upload-streams.ts'

export interface KuboUploadsParts {
  /** Where bytes are until a node has them. Its owner closes it. */
  readonly local: EmbeddedStore
  readonly nodes: KuboNodes
  readonly log: Logger
  /** Whether an upload is to become an object, as soon as it can. */
  readonly isAwaited: (id: string) => boolean
}

/** Where in MFS blobs are held that wait for their commit: below a directory for each data directory, each under the id of its upload. */
const STAGED = '/disco/staged'
const HOUR = 60 * 60 * 1000

/** Milliseconds for which something has to have been for nobody. */
export interface CleaningPatience {
  readonly own: number
  readonly others: number
}

/** `owner`: what this data directory calls itself at nodes that others use as well. */
const TABLES = `${ADOPTED_TABLES}
  CREATE TABLE kubo_owner (one INTEGER PRIMARY KEY CHECK (one = 1), owner TEXT NOT NULL);`

/** Uploads on their way into Kubo: bytes are local until a node has them. */
export class KuboUploads implements SendingUploads {
  readonly #local: EmbeddedStore
  readonly #nodes: KuboNodes
  readonly #log: Logger
  readonly #isAwaited: KuboUploadsParts['isAwaited']
  readonly #adopted: AdoptedUploads
  readonly #streams: UploadStreams
  readonly #sender: BlobSender
  readonly #leftOvers: LeftOvers
  /** What this data directory calls itself at nodes that others use as well. */
  readonly owner: string

  private constructor({ local, nodes, log, isAwaited }: KuboUploadsParts, leftOvers: LeftOvers, owner: string) {
    this.#local = local
    this.#nodes = nodes
    this.#log = log
    this.#isAwaited = isAwaited
    this.#adopted = new AdoptedUploads(local.database)
    this.#streams = new UploadStreams(local.uploads, nodes)
    this.#sender = new BlobSender(nodes, `${STAGED}/${owner}`)
    this.#leftOvers = leftOvers
    this.owner = owner
  }

  /** @throws StorageFailedError */
  static async open(parts: KuboUploadsParts): Promise<KuboUploads> {
    const { database } = parts.local
    await database.migrate('kubo-uploads', [TABLES])
    await database.write([{ sql: 'INSERT OR IGNORE INTO kubo_owner VALUES (1, ?)', params: [randomBytes(8).toString('hex')] }])
    const row = database.get<{ owner: string }>('SELECT owner FROM kubo_owner')
    if (row === undefined) throw new StorageFailedError('the database has lost the name of the data directory')
    return new KuboUploads(parts, await LeftOvers.open(database, parts.nodes), row.owner)
  }

  /** Ends what is being sent; what came is kept. */
  async close(): Promise<void> {
    await this.#streams.close()
  }

  async create(id: string, repository: string, options?: AbortOptions): Promise<void> {
    if (this.#adopted.get(id) !== undefined) throw new Error(`upload ${id} exists`)
    await this.#local.uploads.create(id, repository, options)
  }

  async stat(id: string, options?: AbortOptions): Promise<UploadStat | undefined> {
    return (await this.#local.uploads.stat(id, options)) ?? this.#adopted.stat(id)
  }

  append(id: string, offset: number, source: AsyncIterable<Uint8Array>, options: AppendOptions = {}): Promise<number> {
    return this.#streams.append(id, offset, source, options)
  }

  read(id: string, options: ByteRange & AbortOptions = {}): AsyncIterable<Uint8Array> {
    const blob = this.#adopted.get(id)
    return blob === undefined ? this.#local.uploads.read(id, options) : this.#nodes.nodeOf(blob.path).cat(blob.cid, { ...options, offline: true })
  }

  async verify(id: string, digest: Digest, options: AbortOptions = {}): Promise<void> {
    const blob = this.#adopted.get(id)
    if (blob === undefined) return this.#local.uploads.verify(id, digest, options)
    if (!sameDigest(blob.digest, digest)) throw new DigestMismatchError(digest, blob.digest)
  }

  async remove(id: string, options: AbortOptions = {}): Promise<void> {
    if (this.#isAwaited(id)) throw new UploadBusyError(id)
    await this.#local.uploads.remove(id, options)
    await this.#local.database.write([this.#adopted.gone(id)], { freeing: true })
    await this.tidy(id)
  }

  async list({ after = '', limit = 1000, signal }: ListOptions = {}): Promise<UploadStat[]> {
    const all = [...await this.#local.uploads.list({ after, limit, signal }), ...this.#adopted.list(after, limit)]
    return all.toSorted((a, b) => (a.id < b.id ? -1 : 1)).slice(0, limit)
  }

  /** Makes an upload of a blob that came by its CID, which is held until the upload is gone. @throws Error when the id is taken; StorageFailedError */
  async adopt(id: string, blob: AdoptedBlob, options: AbortOptions = {}): Promise<void> {
    await this.#adopted.add(id, blob, options)
    await this.#told(() => this.#sender.hold(id, this.#nodes.nodeOf(blob.path), blob.cid, { ...options, flush: true }), options)
  }

  async finish({ id, path, digest }: FinishedUpload, options: AbortOptions = {}): Promise<SentBlob> {
    if (this.#adopted.stat(id) !== undefined) return this.#finishAdopted({ id, path, digest }, options)
    this.#streams.end(id)
    try {
      return await this.#sendChecked(id, path, await this.#local.uploads.check(id, digest, options), options)
    } finally {
      // Held, or to be sent from the file.
      this.#streams.drop(id)
    }
  }

  gone(id: string): readonly Statement[] {
    return [...this.#local.uploads.gone(id), this.#adopted.gone(id)]
  }

  async tidy(id: string): Promise<void> {
    this.#streams.drop(id)
    this.#local.uploads.swept()
    try {
      await this.#sender.letGo(id)
    } catch (err) {
      this.#log.warn({ err, upload: id }, 'a node still holds the blob of an upload that is gone; it is let go of later')
    }
  }

  /**
   * Lets go of what nodes hold for uploads that have been gone for an hour, and for data directories that have been gone
   * for a month: an upload is not under way for as long. @returns how much
   */
  async clean(options: AbortOptions & { readonly patience?: CleaningPatience | undefined } = {}): Promise<number> {
    const { signal, patience = { own: HOUR, others: 30 * 24 * HOUR } } = options
    const isGone = async ({ name }: MfsEntry): Promise<boolean> => (await this.stat(decodeURIComponent(name))) === undefined
    return this.#told(async () => {
      const own = await this.#leftOvers.remove(`${STAGED}/${this.owner}`, { isForNobody: isGone, patience: patience.own, signal })
      return own + (await this.#leftOvers.remove(STAGED, { isForNobody: ({ name }) => name !== this.owner, patience: patience.others, signal }))
    }, options)
  }

  async #sendChecked(id: string, path: string, checked: CheckedUpload, options: AbortOptions): Promise<SentBlob> {
    try {
      return await this.#told(() => this.#send(id, path, checked, options), options)
    } catch (error) {
      await checked.lease.release()
      throw error
    }
  }

  async #send(id: string, path: string, checked: CheckedUpload, options: AbortOptions): Promise<SentBlob> {
    const { uploads } = this.#local
    const { size, lease } = checked
    const { root: cid } = layoutFile(await uploads.chunkHashes(checked, options), size)
    const read = (): AsyncIterable<Uint8Array> => uploads.read(id, { length: size, prompt: true, signal: options.signal })
    const held = await this.#sender.send({ id, path, cid, read, streamed: this.#streams.outcome(id, size) }, options)
    const release = async (): Promise<void> => {
      if ((await uploads.stat(id)) === undefined) uploads.forget(checked)
      await lease.release()
    }
    return { cid, size, held, release }
  }

  async #finishAdopted({ id, path, digest }: FinishedUpload, options: AbortOptions): Promise<SentBlob> {
    await this.verify(id, digest, options)
    const blob = this.#adopted.get(id)
    if (blob?.path !== path) throw new Error(`upload ${id} is ${formatDigest(digest)} for ${blob?.path}, not for ${path}`)
    const { cid, size } = blob
    const held = await this.#told(() => this.#sender.keep(id, path, cid, options), options)
    return { cid, size, held, release: async () => {} }
  }

  async #told<T>(work: () => Promise<T>, { signal }: AbortOptions): Promise<T> {
    try {
      return await work()
    } catch (error) {
      signal?.throwIfAborted()
      throw failed(error, true)
    }
  }
}
