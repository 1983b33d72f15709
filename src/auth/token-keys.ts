import { createHash, createPublicKey, type KeyObject, type X509Certificate } from 'node:crypto'
import type { JWK, JWTHeaderParameters } from 'jose'
import { readCertificates, verifiedLeaf } from './certificate-chain.ts'
import type { Notes } from './notes.ts'
import { WatchedFile } from './watched-file.ts'

export interface TokenKeysOptions {
  /** File of PEM certificates: their keys are trusted, and so are certificates that they issued. */
  readonly bundle?: string | undefined
  /** File of a JSON Web Key Set. */
  readonly jwks?: string | undefined
  readonly notes: Notes
  /** How often the files are looked at, in milliseconds. @default 1 s */
  readonly interval?: number | undefined
}

interface Bundle {
  readonly roots: readonly X509Certificate[]
  readonly keys: ReadonlyMap<string, KeyObject>
}

/** Members that make a key what it is, in their order: RFC 7638 §3.2, RFC 8037 §2. */
const MEMBERS: Readonly<Record<string, readonly ('crv' | 'e' | 'kty' | 'n' | 'x' | 'y')[]>> = {
  EC: ['crv', 'kty', 'x', 'y'],
  RSA: ['e', 'kty', 'n'],
  OKP: ['crv', 'kty', 'x'],
}

/** Whose signatures count. The files are read again when they change, so keys can be replaced while the registry runs. */
export class TokenKeys {
  readonly #bundle: WatchedFile<Bundle> | undefined
  readonly #jwks: WatchedFile<ReadonlyMap<string, JWK>> | undefined

  /** @throws AuthFileError for a file that can't be used */
  constructor({ bundle, jwks, notes, interval }: TokenKeysOptions) {
    const common = { notes, interval }
    this.#bundle = bundle === undefined ? undefined : new WatchedFile({ path: bundle, purpose: 'auth.token.rootcertbundle', parse: readBundle, ...common })
    this.#jwks = jwks === undefined ? undefined : new WatchedFile({ path: jwks, purpose: 'auth.token.jwks', parse: readKeySet, ...common })
  }

  /** As Distribution has it: a certificate chain counts before a key in the header, and that before a key's id. @throws Error when no key of ours is named */
  async find({ x5c, jwk, kid }: JWTHeaderParameters): Promise<KeyObject | JWK> {
    const bundle = await this.#bundle?.current()
    const chain: unknown = x5c ?? jwk?.x5c
    if (chain !== undefined) return verifiedLeaf(textsOf(chain), bundle?.roots ?? []).publicKey
    const id = jwk?.kid ?? kid
    if (id === undefined) throw new Error('the token names no key')
    const key = (await this.#jwks?.current())?.get(id) ?? bundle?.keys.get(id)
    if (key === undefined) throw new Error('the token is signed with a key that is not trusted')
    return key
  }
}

function textsOf(chain: unknown): string[] {
  if (!Array.isArray(chain) || !chain.every((text) => typeof text === 'string')) throw new Error('x5c is no list of certificates')
  return chain
}

export function readBundle(pem: string): Bundle {
  const roots = readCertificates(pem)
  return { roots, keys: new Map(roots.flatMap(({ publicKey }) => [[thumbprint(publicKey), publicKey], [libtrustId(publicKey), publicKey]])) }
}

function thumbprint(key: KeyObject): string {
  const jwk = key.export({ format: 'jwk' })
  const members = MEMBERS[jwk.kty ?? ''] ?? []
  return createHash('sha256').update(JSON.stringify(Object.fromEntries(members.map((name) => [name, jwk[name]])))).digest('base64url')
}

/** The id that Distribution 2 knew a key by, and many token servers still write: base32 of a shortened hash, in fours. */
function libtrustId(key: KeyObject): string {
  const digest = createHash('sha256').update(key.export({ type: 'spki', format: 'der' })).digest().subarray(0, 30)
  const bits = [...digest].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  const letters = (bits.match(/.{5}/g) ?? []).map((five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[Number.parseInt(five, 2)]).join('')
  return (letters.match(/.{4}/g) ?? []).join(':')
}

/** @throws Error when it is no key set, or has no key that can be used */
export function readKeySet(text: string): ReadonlyMap<string, JWK> {
  const set = parseJson(text)
  const given = typeof set === 'object' && set !== null && 'keys' in set && Array.isArray(set.keys) ? (set.keys as unknown[]) : undefined
  if (given === undefined) throw new Error('it is no JSON Web Key Set: {"keys":[…]}')
  const keys = new Map(given.flatMap((jwk) => readKey(jwk) ?? []))
  if (keys.size === 0) throw new Error('there is no key in it that can be used')
  return keys
}

/** The parser's message would quote the text, and that may be a key. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('it is no JSON')
  }
}

/** RFC 7517 §5: "Implementations SHOULD ignore JWKs within a JWK Set that use "kty" (key type) values that are not understood by them". */
function readKey(value: unknown): [string, JWK][] | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const jwk = value as JWK
  const about = { ...(jwk.alg === undefined ? {} : { alg: jwk.alg }), ...(jwk.use === undefined ? {} : { use: jwk.use }) }
  if (jwk.kty === 'oct') return jwk.kid === undefined || jwk.k === undefined ? undefined : [[jwk.kid, { kty: 'oct', k: jwk.k, ...about }]]
  try {
    const key = createPublicKey({ key: { ...jwk }, format: 'jwk' })
    return [[jwk.kid ?? thumbprint(key), { ...(key.export({ format: 'jwk' }) as JWK), ...about }]]
  } catch {
    return undefined
  }
}
