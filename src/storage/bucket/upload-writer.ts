import { randomBytes } from 'node:crypto'
import { StorageFailedError } from '../errors.ts'
import type { Bucket } from './bucket.ts'
import { emptyOf, inMemory, loadInto, type Filled, type Readable } from './filled.ts'
import { keys } from './keys.ts'
import { PIECE, type PiecePool } from './piece-pool.ts'
import { readObject } from './reading.ts'
import type { TakenSession } from './taken-session.ts'
import type { UploadHash } from './upload-hash.ts'
import type { UploadContent, UploadPiece } from './upload-record.ts'

/** Pieces of one upload on their way at a time. */
const IN_FLIGHT = 4
/** When nothing more has come for so long, what there is is made durable, and others get the memory. In milliseconds. */
const IDLE = 5_000

interface Segment extends UploadPiece {
  readonly start: number
  /** Until it is durable. */
  memory: readonly Filled[] | undefined
}

export interface UploadWriterParts {
  readonly bucket: Bucket
  readonly pool: PiecePool
  readonly session: TakenSession
  /** Undefined where bytes have come that it did not see. */
  readonly hash: UploadHash | undefined
}

/** Sends what comes to the bucket in pieces large enough to be parts of an object; the last, which may be smaller, is written anew when more comes. */
export class UploadWriter {
  readonly #parts: UploadWriterParts
  readonly #segments: Segment[] = []
  readonly #flying = new Set<Promise<void>>()
  readonly #timer: NodeJS.Timeout
  #filling: Filled[] = []
  #start: number
  #filled = 0
  /** Too small to stay, and not in memory. */
  #tail: UploadPiece | undefined
  /** What is in memory of it, until that is durable in another object. */
  #loaded: (UploadPiece & { readonly start: number }) | undefined
  /** Of all objects that have been ours. */
  readonly #names = new Set<string>()
  #spilling: Promise<void> | undefined
  #failure: unknown

  constructor(parts: UploadWriterParts) {
    this.#parts = parts
    const { pieces } = parts.session.record
    let start = 0
    for (const piece of pieces) {
      this.#segments.push({ ...piece, start, memory: undefined })
      start += piece.size
    }
    for (const { name } of pieces) this.#names.add(name)
    for (const name of parts.session.record.stale ?? []) this.#names.add(name)
    const last = this.#segments.at(-1)
    if (last !== undefined && last.size < this.#least) {
      this.#segments.pop()
      this.#tail = { name: last.name, size: last.size }
      start = last.start
    }
    this.#start = start
    this.#timer = setTimeout(() => void this.#spill(), IDLE)
  }

  /** Bytes that have come, with those that were there. */
  get size(): number {
    return this.#start + (this.#tail?.size ?? this.#filled)
  }

  /** Takes a copy of the chunk: at once, where there is room, else the promise tells when. */
  add(chunk: Uint8Array): Promise<void> | undefined {
    const last = this.#filling.at(-1)
    this.#timer.refresh()
    if (last === undefined || this.#spilling !== undefined || this.#failure !== undefined || !this.#fits(last, chunk.byteLength)) return this.#addInParts(chunk)
    this.#copy(last, chunk)
    return undefined
  }

  /** Makes all durable that can be. @throws what made a write fail */
  async end(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#spill()
    while (this.#flying.size > 0) await Promise.all(this.#flying)
    for (const { bytes } of this.#filling) this.#parts.pool.give(bytes)
    this.#filling = []
    if (this.#failure !== undefined) throw this.#failure
  }

  /** What is durable, up to the first that is not. */
  get content(): UploadContent {
    const pieces: UploadPiece[] = []
    let end = 0
    for (const { name, size, memory } of this.#segments) {
      if (memory !== undefined) break
      pieces.push({ name, size })
      end += size
    }
    if (this.#tail !== undefined && end === this.#start) pieces.push(this.#tail)
    else if (this.#loaded?.start === end) pieces.push({ name: this.#loaded.name, size: this.#loaded.size })
    const current = new Set(pieces.map(({ name }) => name))
    return { pieces, stale: [...this.#names].filter((name) => !current.has(name)) }
  }

  /** What can be read at a position. Undefined: nothing yet. */
  at(position: number): Readable | undefined {
    if (position >= this.#start) return this.#last(position - this.#start)
    const segment = this.#segments.findLast(({ start }) => start <= position)
    if (segment === undefined) return undefined
    const offset = position - segment.start
    return segment.memory === undefined ? { name: segment.name, offset, length: segment.size - offset } : inMemory(segment.memory, offset)
  }

  #last(offset: number): Readable | undefined {
    if (this.#tail === undefined) return inMemory(this.#filling, offset)
    return offset < this.#tail.size ? { name: this.#tail.name, offset, length: this.#tail.size - offset } : undefined
  }

  get #least(): number {
    return this.#parts.bucket.pieces.least
  }

  #fits(last: Filled, bytes: number): boolean {
    return last.used + bytes < PIECE && this.#filled + bytes < this.#parts.bucket.pieces.size
  }

  #copy(last: Filled, chunk: Uint8Array): void {
    last.bytes.set(chunk, last.used)
    last.used += chunk.byteLength
    this.#filled += chunk.byteLength
  }

  async #addInParts(chunk: Uint8Array): Promise<void> {
    for (let taken = 0; taken < chunk.byteLength; ) {
      await this.#spilling
      if (this.#failure !== undefined) throw this.#failure
      if (this.#tail !== undefined) await this.#load(this.#tail)
      const last = this.#filling.at(-1)
      if (last === undefined || last.used === PIECE) {
        await this.#grow()
        continue
      }
      const room = Math.min(PIECE - last.used, this.#parts.bucket.pieces.size - this.#filled)
      const part = chunk.subarray(taken, taken + room)
      this.#copy(last, part)
      taken += part.byteLength
      if (last.used === PIECE) this.#feed(last)
      if (this.#filled === this.#parts.bucket.pieces.size) await this.#send()
    }
  }

  /** Whoever has to wait for memory lets go of what he has. */
  async #grow(): Promise<void> {
    const piece = this.#parts.pool.tryTake()
    if (piece !== undefined) return void this.#filling.push(emptyOf(piece))
    await this.#spill()
    if (this.#failure !== undefined || this.#tail !== undefined) return
    this.#filling.push(...(await this.#parts.pool.take(1)).map(emptyOf))
  }

  /** Gets back what was too small to stay, with room for more. */
  async #load(tail: UploadPiece): Promise<void> {
    const { bucket, pool, session, hash } = this.#parts
    this.#filling = await loadInto(pool, tail.size, readObject(bucket, keys.piece(session.id, tail.name), {}), hash !== undefined)
    this.#filled = tail.size
    this.#loaded = { ...tail, start: this.#start }
    this.#tail = undefined
  }

  /** A piece is full. */
  async #send(): Promise<void> {
    while (this.#flying.size >= IN_FLIGHT) await Promise.race(this.#flying)
    // While it waited, it may have been sent for want of more.
    if (this.#failure === undefined && this.#filled > 0) this.#fly()
  }

  /** Nothing more fits or comes for now. */
  #spill(): Promise<void> {
    return (this.#spilling ??= this.#spillOnce().catch((error: unknown) => {
      this.#failure ??= error
    }).finally(() => {
      this.#spilling = undefined
    }))
  }

  async #spillOnce(): Promise<void> {
    if (this.#filled === 0 || this.#failure !== undefined) return
    if (this.#filled >= this.#least) return this.#fly()
    const { session, pool } = this.#parts
    const memory = this.#filling
    const size = this.#filled
    const name = this.#name()
    await this.#put(name, memory)
    for (const { bytes } of memory) pool.give(bytes)
    this.#filling = []
    this.#filled = 0
    this.#tail = { name, size }
    session.progress(this.content)
  }

  #fly(): void {
    const { most } = this.#parts.bucket.pieces
    if (this.#segments.length === most) throw new StorageFailedError(`the bucket takes ${most} parts: for blobs of this size chunksize has to be larger`)
    const segment: Segment = { name: this.#name(), size: this.#filled, start: this.#start, memory: this.#filling }
    const { pool, session } = this.#parts
    const memory = this.#filling
    this.#segments.push(segment)
    this.#start += this.#filled
    this.#filled = 0
    this.#filling = []
    const flight = this.#put(segment.name, memory).then(() => {
      segment.memory = undefined
      session.progress(this.content)
    }, (error: unknown) => {
      this.#failure ??= error
    }).finally(() => {
      this.#flying.delete(flight)
      for (const { bytes } of memory) pool.give(bytes)
    })
    this.#flying.add(flight)
  }

  /** Resolves when the bytes are durable, and hashed. */
  async #put(name: string, memory: readonly Filled[]): Promise<void> {
    const { bucket, session } = this.#parts
    for (const filled of memory) this.#feed(filled)
    session.assert()
    const sent = await Promise.allSettled([
      bucket.putPieces(keys.piece(session.id, name), memory.map(({ bytes, used }) => bytes.subarray(0, used))),
      ...memory.map(({ hashing }) => hashing),
    ])
    const failed = sent.find((outcome) => outcome.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  #feed(filled: Filled): void {
    const { hash } = this.#parts
    if (hash === undefined || filled.fed === filled.used) return
    const bytes = filled.bytes.subarray(filled.fed, filled.used)
    filled.fed = filled.used
    filled.hashing = Promise.all([filled.hashing, hash.feed(bytes)]).then(() => {})
    // Whoever sends it hears of its failure.
    filled.hashing.catch(() => {})
  }

  /** Never one that another has written who was at work before. */
  #name(): string {
    const name = `${String(this.#segments.length).padStart(5, '0')}-${randomBytes(6).toString('hex')}`
    this.#names.add(name)
    return name
  }
}
