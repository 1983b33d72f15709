import { createDigester, digestOf, sameDigest, type Digest } from '../../oci/digest.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { DigestMismatchError, ObjectUnknownError } from '../errors.ts'
import type { AbortOptions, ObjectStore } from '../object-store.ts'
import { within } from './away.ts'
import type { Unit } from './places.ts'

/** Objects of which is remembered whether the copy has their bytes. */
const MOST = 10_000

/** Milliseconds that the authority may take to tell a size, and for which it is not asked when it did not. */
const LIMIT = 1000
const REST = 10_000

export interface ProofsParts {
  readonly authority: Pick<ObjectStore, 'stat'>
  readonly copy: Pick<ObjectStore, 'stat' | 'read'>
  /** Brings the right bytes there. */
  readonly mend: (unit: Unit) => Promise<void>
  readonly log: Logger
}

/**
 * Whether the copy has the bytes that a digest names: looked at when an object is read as a whole for the first time, since
 * it may be cut off, or damaged, and nobody else would ever notice.
 */
export class Proofs {
  readonly #parts: ProofsParts
  readonly #known = new Map<string, 'right' | 'wrong'>()
  /** Paths of objects that have the size that they have in the authority. */
  readonly #sized = new Set<string>()
  #sizesFrom = -Infinity

  constructor(parts: ProofsParts) {
    this.#parts = parts
  }

  /** It was seen to be, and still may be. */
  isWrong({ path }: Unit): boolean {
    return this.#known.get(path) === 'wrong'
  }

  /** @throws DigestMismatchError */
  check({ path, digest }: Unit, data: Uint8Array): void {
    if (digest !== undefined) this.#note({ path, digest }, digestOf(data, digest.algorithm))
  }

  /** Once an object, as long as the authority answers: what is cut off is seen by its size. @throws ObjectUnknownError where that is another */
  async checkSize(unit: Unit, size: number, { signal }: AbortOptions): Promise<void> {
    const { path, digest } = unit
    if (digest === undefined || this.#sized.has(path) || performance.now() < this.#sizesFrom) return
    const { authority, log } = this.#parts
    let right: number | undefined
    try {
      right = (await within(LIMIT, signal, (asking) => authority.stat(path, { signal: asking })))?.size
    } catch {
      signal?.throwIfAborted()
      this.#sizesFrom = performance.now() + REST
      return
    }
    if (right === undefined) return
    if (right === size) {
      if (this.#sized.size >= MOST) this.#sized.clear()
      this.#sized.add(path)
      return
    }
    log.error({ path, size, right }, 'what the copy has is not as large as it should be')
    this.#isWrong(unit)
    throw new ObjectUnknownError(path)
  }

  /** All bytes of an object. The last ones are given only when all are right: whoever reads sees that something is amiss. @throws DigestMismatchError */
  async *read(unit: Unit, options: AbortOptions): AsyncGenerator<Uint8Array, void, void> {
    const { path, digest } = unit
    if (digest === undefined || this.#known.has(path)) return yield* this.#parts.copy.read(path, options)
    const { size = Infinity } = (await this.#parts.copy.stat(path, options)) ?? {}
    const digester = createDigester(digest.algorithm)
    let seen = 0
    const finish = (): void => this.#note({ path, digest }, { algorithm: digest.algorithm, hex: digester.digest('hex') })
    for await (const chunk of this.#parts.copy.read(path, options)) {
      const isLast = seen < size && seen + chunk.byteLength >= size
      digester.update(chunk)
      seen += chunk.byteLength
      if (isLast) finish()
      yield chunk
    }
    if (seen < size || size === 0) finish()
  }

  #note(unit: { readonly path: string; readonly digest: Digest }, actual: Digest): void {
    const { path, digest } = unit
    const isRight = sameDigest(actual, digest)
    this.#known.delete(path)
    this.#known.set(path, isRight ? 'right' : 'wrong')
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MOST) break
      this.#known.delete(oldest)
    }
    if (isRight) return
    const error = new DigestMismatchError(digest, actual)
    this.#parts.log.error({ err: error, path }, 'what the copy has is not what it should be')
    this.#isWrong(unit)
    throw error
  }

  #isWrong(unit: Unit): void {
    const { path } = unit
    this.#known.set(path, 'wrong')
    this.#parts.mend(unit).then(() => this.#known.delete(path), () => {})
  }
}
