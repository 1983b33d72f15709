import { dirname } from 'node:path/posix'
import { CID } from 'multiformats/cid'
import type { AbortOptions, ByteRange } from '../../../storage/object-store.ts'
import { CHUNK_SIZE } from '../../../storage/object-store.ts'
import { MAX_LINKS } from '../../unixfs/file-layout.ts'
import type { KuboOptions } from './command-url.ts'
import { KuboIncompleteError, KuboRefusedError } from './errors.ts'
import type { Take } from './plain-call.ts'
import { poured } from './poured.ts'
import { KuboRpc, type RpcOptions } from './rpc.ts'
import { checkVersion } from './version.ts'

export interface MfsStat {
  readonly cid: CID
  readonly directory: boolean
  /** Bytes of a file; 0 of a directory. */
  readonly size: number
}

export interface MfsEntry extends MfsStat {
  readonly name: string
}

/**
 * Whether MFS writes its root down at once: a promise of durability. Without, `flush` has to follow, and nothing may end
 * the node before: a collection of garbage keeps what MFS is in memory and takes what it was when it was last written
 * down, without which the node does not start again ("data may be lost. This also applies to run 'ipfs repo gc'
 * concurrently with '--flush=false' operations"). It costs a millisecond.
 */
export interface FlushOption extends AbortOptions {
  /** @default true */
  readonly flush?: boolean | undefined
}

export interface FetchOptions extends AbortOptions {
  /** Asks no other node. @default false */
  readonly offline?: boolean | undefined
}

/** Bytes of a file that are asked for over a kept connection; only what is longer is worth one of its own. */
const BEGINNING = 256 * 1024
/** Milliseconds of silence that a look at what the node has itself may take: what lasts longer is stuck. */
const LOOK = 60_000

const NOT_HERE = 'block was not found locally'

/** `unixfs-v1-2025` (IPIP-499), every part of it by name: "A fresh Kubo still defaults to CIDv0". */
const PROFILE = { 'cid-version': 1, 'raw-leaves': true, hash: 'sha2-256', chunker: `size-${CHUNK_SIZE}`, 'max-file-links': MAX_LINKS, trickle: false } as const

/** Nobody is told of what may never become an image's, nor waited for until he knows. */
const UNTOLD = { 'fast-provide-root': false, 'fast-provide-dag': false } as const

/**
 * One Kubo, by its RPC. Every method throws KuboDownError when it can't be reached, and KuboRefusedError with its own words.
 *
 * Nothing here moves within MFS: of `files/mv` by four at once Kubo 0.43 loses 3 in 100, acknowledged and flushed; of
 * `files/cp` none.
 */
export class KuboNode {
  readonly #rpc: KuboRpc

  /** @param token sent as `Authorization: Bearer` */
  constructor(url: URL | string, options: Pick<RpcOptions, 'token' | 'patience'> = {}) {
    this.#rpc = new KuboRpc(url, { ...options, check: checkVersion })
  }

  /** Its URL, without the user. */
  get name(): string {
    return this.#rpc.name
  }

  get rpc(): KuboRpc {
    return this.#rpc
  }

  /** Asked also of one that is too old. */
  async version(options?: AbortOptions): Promise<string> {
    return (await this.#rpc.json<{ Version: string }>('version', {}, options)).Version
  }

  async id(options?: AbortOptions): Promise<{ readonly peerId: string; readonly addresses: readonly string[] }> {
    const { ID, Addresses } = await this.#rpc.json<{ ID: string; Addresses: string[] | null }>('id', {}, options)
    return { peerId: ID, addresses: Addresses ?? [] }
  }

  /** What is at a path of MFS; undefined: proven to be nothing. */
  async stat(path: string, options?: AbortOptions): Promise<MfsStat | undefined> {
    type Stat = { Hash: string; Size: number; Type: string }
    const found = await absent(this.#rpc.json<Stat>('files/stat', { arg: path }, { ...options, limit: LOOK }))
    return found && { cid: CID.parse(found.Hash), directory: found.Type === 'directory', size: found.Size }
  }

  /** Whether every block of what is at a path of MFS is here; undefined: proven to be nothing. Reads all of them. */
  async isWhole(path: string, options?: AbortOptions): Promise<boolean | undefined> {
    const found = await absent(this.#rpc.json<{ Local?: boolean }>('files/stat', { arg: path, 'with-local': true }, options))
    return found && found.Local === true
  }

  /** Whether every block of a DAG is here. Reads all of them. */
  async hasWhole(cid: CID, options?: AbortOptions): Promise<boolean> {
    // The root first: where it is not here, Kubo would look for it for ever.
    return (await this.hasBlock(cid, options)) && (await this.isWhole(`/ipfs/${cid}`, options)) === true
  }

  /** The bytes of a file of MFS. Fails at the first chunk where there is none. A chunk is the reader's until it asks for the next. */
  async *read(path: string, { start = 0, length = Infinity, signal }: ByteRange & AbortOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    let passed = 0
    const rest = (most = Infinity): KuboOptions => {
      const count = Math.min(length - passed, most)
      return { arg: path, offset: start + passed, count: count === Infinity ? undefined : count }
    }
    const call = { signal, limit: LOOK, doubt: () => this.#assertWhole(path, signal) }
    const beginning = this.#rpc.pours ? BEGINNING : Infinity
    for await (const chunk of this.#rpc.stream('files/read', rest(beginning), call)) {
      passed += chunk.byteLength
      yield chunk
    }
    if (passed < beginning || passed === length) return
    for await (const chunk of poured((take, stopped) => this.#rpc.pour('files/read', rest(), take, { ...call, signal: stopped }), signal)) {
      passed += chunk.byteLength
      yield chunk
    }
    // Why it ended there, or that this is its end.
    if (passed < length) yield* this.#rpc.stream('files/read', rest(), call)
  }

  async #assertWhole(path: string, signal: AbortSignal | undefined): Promise<void> {
    if ((await this.isWhole(path, { signal })) === false) throw new KuboIncompleteError(this.name, path)
  }

  /** All entries of a directory of MFS, in no order; undefined where there is none. */
  async list(path: string, options?: AbortOptions): Promise<MfsEntry[] | undefined> {
    type Entry = { Name: string; Type: number; Size: number; Hash: string }
    const found = await absent(this.#rpc.json<{ Entries: Entry[] | null }>('files/ls', { arg: path, long: true, U: true }, { ...options, limit: LOOK }))
    return found?.Entries?.map(({ Name, Type, Size, Hash }) => ({ name: Name, directory: Type === 1, size: Size, cid: CID.parse(Hash) })) ?? (found && [])
  }

  /** The names in a directory of MFS, in no order; undefined where there is none. Those of a file are its own. */
  async names(path: string, options?: AbortOptions): Promise<string[] | undefined> {
    const found = await absent(this.#rpc.json<{ Entries: { Name: string }[] | null }>('files/ls', { arg: path, U: true }, { ...options, limit: LOOK }))
    return found && (found.Entries ?? []).map(({ Name }) => Name)
  }

  /**
   * Puts a DAG of which the node has the root at a path of MFS, without copying a byte. Refused when something is there,
   * but with `force`, a file; and where it has no root, see `isMissing`: who looked for it elsewhere would hold off
   * collectors of garbage meanwhile, and who waits behind them.
   */
  async link(cid: CID, path: string, { flush = true, force, signal }: FlushOption & { readonly force?: boolean | undefined } = {}): Promise<void> {
    await this.#rpc.bytes('files/cp', { arg: [`/ipfs/${cid}`, path], parents: true, force, flush, offline: true }, { signal })
  }

  /** Files or whole directories. Nothing there is no error. */
  async remove(paths: string | readonly string[], options?: AbortOptions): Promise<void> {
    const [first] = [paths].flat()
    if (first === undefined) return
    await absent(this.#rpc.bytes('files/rm', { arg: paths, recursive: true, force: true }, options))
    // "files rm always flushes", and does not wait until it has.
    for (let at = dirname(first); !(await this.flush(at, options)) && at !== '/'; ) at = dirname(at)
  }

  async makeDirectory(path: string, { flush = true, signal }: FlushOption = {}): Promise<void> {
    await this.#rpc.bytes('files/mkdir', { arg: path, parents: true, 'cid-version': 1, flush }, { signal })
    // Nor does this one wait.
    if (flush) await this.flush(path, { signal })
  }

  /** Writes a small file, and the directories above it. */
  async write(path: string, data: Uint8Array, { flush = true, signal }: FlushOption = {}): Promise<void> {
    const options = { arg: path, create: true, parents: true, truncate: true, 'cid-version': 1, 'raw-leaves': true, flush }
    await this.#rpc.bytes('files/write', options, { body: [data], signal })
  }

  /**
   * Everything that was done to a directory of MFS before, and below it, is durable when this resolves. Only this one: of
   * what others do below a directory that is flushed meanwhile, Kubo 0.43 loses 3 in 1000.
   *
   * @returns whether there is such a directory
   */
  async flush(path: string, options?: AbortOptions): Promise<boolean> {
    return (await absent(this.#rpc.bytes('files/flush', { arg: path }, options))) !== undefined
  }

  /**
   * Stores bytes under the profile, unpinned.
   *
   * @param toFiles a path of MFS that holds it from the same moment, so that no collection of garbage comes in between
   */
  async add(body: AsyncIterable<Uint8Array>, { toFiles, signal }: AbortOptions & { readonly toFiles?: string | undefined } = {}): Promise<CID> {
    // What is held by nobody may be collected while it is added: then Kubo would look for it for ever.
    const options = { ...PROFILE, ...UNTOLD, pin: false, progress: false, 'to-files': toFiles, offline: toFiles === undefined }
    const { Hash } = await this.#rpc.json<{ Hash: string }>('add', options, { body, signal })
    // Unlike all else that changes MFS it has not been written down.
    if (toFiles !== undefined) await this.flush(dirname(toFiles), { signal })
    return CID.parse(Hash)
  }

  /** Stores the blocks of a CAR; they are checked. Held by nobody, but where `pin`, its roots. */
  async importCar(body: AsyncIterable<Uint8Array>, { pin = false, signal }: AbortOptions & { readonly pin?: boolean | undefined } = {}): Promise<void> {
    type Line = { Root?: { PinErrorMsg?: string } }
    const options = { 'pin-roots': pin, silent: !pin, 'allow-big-block': true, ...UNTOLD }
    for (const { Root } of await this.#rpc.lines<Line>('dag/import', options, { body, signal })) {
      if (Root?.PinErrorMsg !== undefined && Root.PinErrorMsg !== '') throw new KuboRefusedError(this.name, 'dag/import', Root.PinErrorMsg)
    }
  }

  /** Takes a pin away; one that is not there is no error. */
  async unpin(cid: CID, options?: AbortOptions): Promise<void> {
    await unless(this.#rpc.bytes('pin/rm', { arg: cid.toString() }, options), (reason) => reason.startsWith('not pinned'))
  }

  /** A block; undefined where `offline` and it is not here. Otherwise it is asked for until the signal aborts. */
  async block(cid: CID, { offline = false, signal }: FetchOptions = {}): Promise<Uint8Array | undefined> {
    return missing(this.#rpc.bytes('block/get', { arg: cid.toString(), offline }, { signal, ...(offline && { limit: LOOK }) }))
  }

  async hasBlock(cid: CID, { signal }: AbortOptions = {}): Promise<boolean> {
    return (await missing(this.#rpc.bytes('block/stat', { arg: cid.toString(), offline: true }, { signal, limit: LOOK }))) !== undefined
  }

  /** Stores a block of raw bytes (CIDv1, sha2-256), unpinned. */
  async putBlock(bytes: Uint8Array, { signal }: AbortOptions = {}): Promise<void> {
    await this.#rpc.bytes('block/put', { 'cid-codec': 'raw', mhtype: 'sha2-256', pin: false }, { body: [bytes], signal })
  }

  /** The bytes of a file, from wherever they are. */
  cat(cid: CID, { start, length, offline = false, signal }: ByteRange & FetchOptions = {}): AsyncIterable<Uint8Array> {
    return this.#rpc.stream('cat', { arg: cid.toString(), offset: start, length, offline, progress: false }, { signal, ...(offline && { limit: LOOK }) })
  }

  /**
   * All bytes of a file, from wherever they are, at half of what `cat` costs. They are the taker's until he returns, or
   * what he returns resolves.
   *
   * @param size that the file has, or claims to have, in bytes
   */
  async pour(cid: CID, size: number, take: Take, options: AbortOptions = {}): Promise<void> {
    const passed = await this.#rpc.pour('cat', { arg: cid.toString(), progress: false }, take, options)
    if (passed >= size) return
    // Why it ended there, or that this is its end.
    for await (const chunk of this.cat(cid, { ...options, start: passed })) await take(chunk)
  }

  /** Peer ids of those that it is connected with. */
  async connectedPeers(options?: AbortOptions): Promise<ReadonlySet<string>> {
    const { Peers } = await this.#rpc.json<{ Peers: { Peer: string }[] | null }>('swarm/peers', {}, options)
    return new Set(Peers?.map(({ Peer }) => Peer))
  }

  /** @param addresses multiaddrs of one peer, its id included */
  async connect(addresses: readonly string[], options?: AbortOptions): Promise<void> {
    await this.#rpc.bytes('swarm/connect', { arg: addresses }, options)
  }

  /** Tells the network once, soon, that it has a block. */
  async provide(cid: CID, options?: AbortOptions): Promise<void> {
    await this.#rpc.lines('provide/once', { arg: cid.toString() }, options)
  }

  close(): void {
    this.#rpc.close()
  }
}

async function absent<T>(answer: Promise<T>): Promise<T | undefined> {
  return unless(answer, isAbsence)
}

/** What Kubo says where nothing is at a path of MFS, or a file where a directory would have to be. */
export function isAbsence(reason: string): boolean {
  return reason.endsWith('file does not exist') || reason.endsWith(': Not a directory')
}

async function missing<T>(answer: Promise<T>): Promise<T | undefined> {
  return unless(answer, (reason) => reason.startsWith(NOT_HERE))
}

/** What Kubo says of a block that it does not have, and is not to look for. */
export function isMissing(error: unknown): boolean {
  return error instanceof KuboRefusedError && error.reason.includes(NOT_HERE)
}

async function unless<T>(answer: Promise<T>, isNothing: (reason: string) => boolean): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof KuboRefusedError && isNothing(error.reason)) return undefined
    throw error
  }
}
