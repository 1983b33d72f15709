import { digestOf } from '../../oci/digest.ts'
import { BoundedMap } from '../../oci/bounded-map.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { ObjectUnknownError } from '../errors.ts'
import type { AbortOptions, ObjectStore, ReadOptions } from '../object-store.ts'
import type { Claim, TierPlaces } from './places.ts'

/** Objects of which is remembered what was found. */
const MOST = 10_000

interface Found {
  readonly size: number
  /** Of what was read. */
  readonly hex: string
  readonly isRight: boolean
}

export interface ClaimsParts {
  readonly copy: Pick<ObjectStore, 'get' | 'read'>
  readonly places: Pick<TierPlaces, 'claimOf'>
  readonly log: Logger
}

/** Gives of the copy's small objects only what their paths say that they are: another is none. */
export class Claims {
  readonly #parts: ClaimsParts
  readonly #found = new BoundedMap<Found>(MOST, Infinity)

  constructor(parts: ClaimsParts) {
    this.#parts = parts
  }

  /** undefined: there is none, or it is wrong. Of what is too large, no more is read than shows it. */
  async get(path: string, options: AbortOptions): Promise<Uint8Array | undefined> {
    const { copy, places, log } = this.#parts
    const claim = places.claimOf(path)
    if (claim === undefined) return copy.get(path, options)
    const data = await this.#read(path, claim.most + 1, options)
    if (data === undefined) return undefined
    const { hex } = digestOf(data)
    const known = this.#found.get(path)
    if (known?.isRight === true && known.hex === hex) return data
    const isRight = data.byteLength <= claim.most && (await this.#isProven(claim, data, options))
    this.#found.set(path, { size: data.byteLength, hex, isRight })
    if (isRight) return data
    if (known?.hex !== hex) log.error({ path }, 'what the copy has is not what its path says')
    return undefined
  }

  read(path: string, options: ReadOptions): AsyncIterable<Uint8Array> {
    const { copy, places } = this.#parts
    return places.claimOf(path) === undefined ? copy.read(path, options) : this.#readClaimed(path, options)
  }

  async *#readClaimed(path: string, { start = 0, length = Infinity, signal }: ReadOptions): AsyncGenerator<Uint8Array, void, void> {
    const data = await this.get(path, { signal })
    if (data === undefined) throw new ObjectUnknownError(path)
    if (start < data.byteLength && length > 0) yield data.subarray(start, start + length)
  }

  /** Whether what is there, with this size, is right: looked at once. */
  async isRight(path: string, size: number, options: AbortOptions): Promise<boolean> {
    if (this.#parts.places.claimOf(path) === undefined) return true
    const known = this.#found.get(path)
    if (known?.isRight === true && known.size === size) return true
    return (await this.get(path, options)) !== undefined
  }

  async #isProven({ by, proves }: Claim, data: Uint8Array, options: AbortOptions): Promise<boolean> {
    return proves(data, by === undefined ? undefined : await this.get(by, options))
  }

  async #read(path: string, length: number, options: AbortOptions): Promise<Uint8Array | undefined> {
    const chunks: Uint8Array[] = []
    try {
      for await (const chunk of this.#parts.copy.read(path, { ...options, length })) chunks.push(new Uint8Array(chunk))
    } catch (error) {
      if (error instanceof ObjectUnknownError) return undefined
      throw error
    }
    return Buffer.concat(chunks)
  }
}
