import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CID } from 'multiformats/cid'
import { pino } from 'pino'
import { openWithOwnNode, type OwnStorage } from '../../src/assembly/own-node.ts'
import { GlobalRegistry, type GlobalRegistryOptions } from '../../src/global/global-registry.ts'
import type { EmbeddedDagIndex } from '../../src/ipfs/embedded/dag-index.ts'
import { EmbeddedSession } from '../../src/ipfs/embedded/session.ts'
import { ContentUnavailableError } from '../../src/ipfs/errors.ts'
import type { BlockReader, ImageSession, IpfsNetwork } from '../../src/ipfs/node.ts'
import { digestOf, formatDigest, type Digest, type DigestAlgorithm } from '../../src/oci/digest.ts'
import { OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST } from '../../src/oci/media-type.ts'
import { RegistryCore } from '../../src/registry/core.ts'
import { REPOSITORIES } from '../../src/registry/paths.ts'
import type { ManifestReceipt, Registry } from '../../src/registry/registry.ts'
import type { Sparseness } from '../../src/registry/sparseness.ts'
import type {
  AbortOptions, Batch, ByteRange, ChunkHashes, ListOptions, ObjectStat, ObjectStore, UploadStore,
} from '../../src/storage/object-store.ts'

/** Somebody who may have blocks, slowly. */
export type Peer = Pick<BlockReader, 'get'>

export interface DiscoOptions extends GlobalRegistryOptions {
  /** Whom clones ask. @default no network */
  readonly peers?: readonly Peer[]
  readonly sparseness?: Sparseness
  /** Changes what sessions do. */
  readonly session?: (session: ImageSession) => ImageSession
}

/** Stores that a Disco can be on; a suite that is run on another than the default names it before it begins. */
export type StoreKind = 'embedded' | 'filesystem' | 'memory'

export const STORE_VARIABLE = 'DISCO_TEST_STORE'

/** A whole Disco but for its sockets: the real registry, index and sessions over a data directory of its own. */
export class TestDisco {
  readonly store: InjectableStore
  readonly index: EmbeddedDagIndex
  readonly registry: GlobalRegistry
  readonly core: RegistryCore
  readonly provided: string[] = []
  /** Sessions that were opened. */
  sessions = 0
  readonly #directory: string
  readonly #storage: OwnStorage
  readonly #others: TestDisco[] = []

  private constructor(directory: string, storage: OwnStorage, options: DiscoOptions) {
    this.#directory = directory
    this.#storage = storage
    const store = new InjectableStore(storage.store)
    const { index } = storage
    this.store = store
    this.index = index
    this.core = new RegistryCore(store, { sparseness: options.sparseness })
    const log = pino({ level: 'silent' })
    const { peers, session = (own) => own } = options
    const network: Pick<IpfsNetwork, 'open'> | undefined = peers && {
      open: (root) => {
        this.sessions++
        return session(new EmbeddedSession(root, { source: sourceOf(peers), store, index, log }))
      },
    }
    const provides = { provide: async (roots: readonly CID[]) => void this.provided.push(...roots.map(String)) }
    this.registry = new GlobalRegistry({ core: this.core, store, index, provides, network, log }, options)
  }

  static async open(options: DiscoOptions = {}): Promise<TestDisco> {
    return TestDisco.#open(await mkdtemp(join(tmpdir(), 'disco-global-')), options)
  }

  static async #open(directory: string, options: DiscoOptions): Promise<TestDisco> {
    const kind = (process.env[STORE_VARIABLE] ?? 'embedded') as StoreKind
    const storage = await openWithOwnNode({
      data: directory,
      storageFilesystem: kind === 'filesystem' ? join(directory, 'tree') : undefined,
      storageInmemory: kind === 'memory',
      readonly: false,
    })
    return new TestDisco(directory, storage, options)
  }

  /** Opens the data directory once more, as another process does; what is in memory, only this one has. */
  async sharing(options: DiscoOptions = {}): Promise<TestDisco> {
    const inMemory = process.env[STORE_VARIABLE] === 'memory'
    const other = inMemory ? new TestDisco(this.#directory, { ...this.#storage, close: async () => {} }, options) : await TestDisco.#open(this.#directory, options)
    this.#others.push(other)
    return other
  }

  async close(): Promise<void> {
    await this.#shut()
    await rm(this.#directory, { recursive: true, force: true })
  }

  async #shut(): Promise<void> {
    await Promise.all(this.#others.map((other) => other.#shut()))
    await this.registry.close()
    await this.#storage.close()
  }

  /** Every path below `directory`, sorted; itself where there is none. */
  paths(directory: string = REPOSITORIES): Promise<string[]> {
    return pathsBelow(this.store, directory)
  }

  async text(path: string): Promise<string | undefined> {
    const data = await this.store.get(path)
    return data && new TextDecoder().decode(data)
  }
}

/** A store in which a test gets between: before commits, with a failure or with another's commit. */
export class InjectableStore implements ObjectStore, ChunkHashes {
  readonly uploads: UploadStore
  beforeCommit: ((batch: Batch) => Promise<void> | void) | undefined
  readonly #inner: ObjectStore & ChunkHashes

  constructor(inner: ObjectStore & ChunkHashes) {
    this.#inner = inner
    this.uploads = inner.uploads
  }

  stat(path: string, options?: AbortOptions): Promise<ObjectStat | undefined> {
    return this.#inner.stat(path, options)
  }

  get(path: string, options?: AbortOptions): Promise<Uint8Array | undefined> {
    return this.#inner.get(path, options)
  }

  read(path: string, options?: ByteRange & AbortOptions): AsyncIterable<Uint8Array> {
    return this.#inner.read(path, options)
  }

  list(directory: string, options?: ListOptions): Promise<string[]> {
    return this.#inner.list(directory, options)
  }

  async commit(batch: Batch, options?: AbortOptions): Promise<void> {
    await this.beforeCommit?.(batch)
    await this.#inner.commit(batch, options)
  }

  chunkHashes(path: string, options?: AbortOptions): Promise<Uint8Array> {
    return this.#inner.chunkHashes(path, options)
  }
}

async function pathsBelow(store: ObjectStore, directory: string): Promise<string[]> {
  const names = await store.list(directory)
  if (names.length === 0) return [directory]
  const prefix = directory === '' ? '' : `${directory}/`
  return (await Promise.all(names.map((name) => pathsBelow(store, prefix + name)))).flat()
}

function sourceOf(peers: readonly Peer[]) {
  return {
    async fetch(cid: CID, options?: AbortOptions): Promise<Uint8Array> {
      for (const peer of peers) {
        const bytes = await peer.get(cid, options)
        if (bytes !== undefined) return bytes
      }
      throw new ContentUnavailableError(`nobody was found who has ${cid}`)
    },
    async close(): Promise<void> {},
  }
}

export interface Piece {
  readonly digest: Digest
  readonly bytes: Uint8Array
}

export interface ImageParts {
  readonly config: Piece
  readonly layers: readonly Piece[]
  readonly manifest: Piece
}

export function piece(bytes: Uint8Array | string, algorithm?: DigestAlgorithm): Piece {
  const data = Buffer.from(bytes)
  return { digest: digestOf(data, algorithm), bytes: data }
}

export function descriptorOf({ digest, bytes }: Piece, mediaType: string): object {
  return { mediaType, digest: formatDigest(digest), size: bytes.length }
}

/** An image of random layers of these sizes, in bytes. */
export function makeImage(sizes: readonly number[] = [1000, 3000]): ImageParts {
  return imageOf(sizes.map((size) => piece(randomBytes(size))))
}

export function imageOf(layers: readonly Piece[], config: Piece = piece(JSON.stringify({ os: 'linux', architecture: 'amd64', seed: Math.random() }))): ImageParts {
  const manifest = piece(JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_IMAGE_MANIFEST,
    config: descriptorOf(config, 'application/vnd.oci.image.config.v1+json'),
    layers: layers.map((layer) => descriptorOf(layer, 'application/vnd.oci.image.layer.v1.tar+gzip')),
  }))
  return { config, layers, manifest }
}

export function indexOf(images: readonly ImageParts[]): Piece {
  return piece(JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_IMAGE_INDEX,
    manifests: images.map(({ manifest }) => descriptorOf(manifest, OCI_IMAGE_MANIFEST)),
  }))
}

export async function pushBlob(registry: Registry, name: string, { digest, bytes }: Piece): Promise<void> {
  const { id } = await registry.startUpload(name)
  await registry.appendUpload(name, id, 0, chunksOf(bytes))
  await registry.finishUpload(name, id, formatDigest(digest))
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

export async function pushBlobs(registry: Registry, name: string, { config, layers }: ImageParts): Promise<void> {
  for (const blob of [...layers, config]) await pushBlob(registry, name, blob)
}

export async function pushImage(registry: Registry, name: string, reference: string, image: ImageParts): Promise<ManifestReceipt & { cid: string }> {
  await pushBlobs(registry, name, image)
  return putManifest(registry, name, reference, image.manifest)
}

export async function putManifest(registry: Registry, name: string, reference: string, { bytes }: Piece): Promise<ManifestReceipt & { cid: string }> {
  const receipt = await registry.putManifest(name, { reference, bytes })
  if (receipt.cid === undefined) throw new Error('the push was answered without a CID')
  return { ...receipt, cid: receipt.cid }
}

export async function contentOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(new Uint8Array(chunk))
  return Buffer.concat(chunks)
}

/** What `assert.rejects` needs to know of a RegistryError. */
export function registryError(code: string, message?: RegExp): (error: unknown) => boolean {
  return (error) => {
    if (!(error instanceof Error) || (error as { code?: unknown }).code !== code) throw error
    if (message !== undefined && !message.test(error.message)) throw error
    return true
  }
}
