import { createDigester, digestOf, sameDigest, type Digest } from '../../oci/digest.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { DigestMismatchError } from '../errors.ts'
import type { AbortOptions, ObjectStore } from '../object-store.ts'
import type { Unit } from './places.ts'

/** Objects of which is remembered whether the copy has their bytes. */
const MOST = 10_000

/**
 * Whether the copy has the bytes that a digest names: looked at when an object is read as a whole for the first time, since
 * it may be cut off, or damaged, and nobody else would ever notice.
 */
export class Proofs {
  readonly #copy: Pick<ObjectStore, 'stat' | 'read'>
  readonly #mend: (unit: Unit) => Promise<void>
  readonly #log: Logger
  readonly #known = new Map<string, 'right' | 'wrong'>()

  /** @param mend brings the right bytes there */
  constructor(copy: Pick<ObjectStore, 'stat' | 'read'>, mend: (unit: Unit) => Promise<void>, log: Logger) {
    this.#copy = copy
    this.#mend = mend
    this.#log = log
  }

  /** It was seen to be, and still may be. */
  isWrong({ path }: Unit): boolean {
    return this.#known.get(path) === 'wrong'
  }

  /** @throws DigestMismatchError */
  check({ path, digest }: Unit, data: Uint8Array): void {
    if (digest !== undefined) this.#note({ path, digest }, digestOf(data, digest.algorithm))
  }

  /** All bytes of an object. The last ones are given only when all are right: whoever reads sees that something is amiss. @throws DigestMismatchError */
  async *read(unit: Unit, options: AbortOptions): AsyncGenerator<Uint8Array, void, void> {
    const { path, digest } = unit
    if (digest === undefined || this.#known.has(path)) return yield* this.#copy.read(path, options)
    const { size = Infinity } = (await this.#copy.stat(path, options)) ?? {}
    const digester = createDigester(digest.algorithm)
    let seen = 0
    const finish = (): void => this.#note({ path, digest }, { algorithm: digest.algorithm, hex: digester.digest('hex') })
    for await (const chunk of this.#copy.read(path, options)) {
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
    this.#log.error({ err: error, path }, 'what the copy has is not what it should be')
    this.#mend(unit).then(() => this.#known.delete(path), () => {})
    throw error
  }
}
