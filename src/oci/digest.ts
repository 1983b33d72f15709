import { createHash, type Hash } from 'node:crypto'

export type DigestAlgorithm = 'sha256' | 'sha512'

/** A content digest as image-spec/descriptor.md §Digests writes it: `algorithm:hex`. */
export interface Digest {
  readonly algorithm: DigestAlgorithm
  /** Lower-case hex: 64 digits for sha256, 128 for sha512. */
  readonly hex: string
}

const HEX_LENGTH: Record<DigestAlgorithm, number> = { sha256: 64, sha512: 128 }
const HEX = /^[0-9a-f]+$/

/** The digest that `text` writes, or undefined where it is malformed or of an algorithm that Disco does not know. */
export function parseDigest(text: string): Digest | undefined {
  const colon = text.indexOf(':')
  const algorithm = text.slice(0, colon)
  const hex = text.slice(colon + 1)
  if (algorithm !== 'sha256' && algorithm !== 'sha512') return undefined
  return hex.length === HEX_LENGTH[algorithm] && HEX.test(hex) ? { algorithm, hex } : undefined
}

export function formatDigest(digest: Digest): string {
  return `${digest.algorithm}:${digest.hex}`
}

export function sameDigest(a: Digest, b: Digest): boolean {
  return a.algorithm === b.algorithm && a.hex === b.hex
}

export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return { algorithm, hex: createHash(algorithm).update(bytes).digest('hex') }
}

export function createDigester(algorithm: DigestAlgorithm): Hash {
  return createHash(algorithm)
}
