import { CID } from 'multiformats/cid'

const DAG_PB = 0x70
const SHA2_256 = 0x12
/** A CIDv1 of a directory hashed with sha2-256, in base32: nothing that a person would call a repository. */
const DIRECTORY_CID = /^bafybei[a-z2-7]{52}$/
const DIGEST_HEX = /^(?:[0-9a-f]{64}|[0-9a-f]{128})$/

/** The CID that a repository's name is, or undefined where it is an ordinary name. */
export function cidOf(name: string): CID | undefined {
  if (!DIRECTORY_CID.test(name)) return undefined
  try {
    const cid = CID.parse(name)
    // Base32 has spare bits at its end: only one spelling of a CID names it.
    return cid.version === 1 && cid.code === DAG_PB && cid.multihash.code === SHA2_256 && cid.toString() === name ? cid : undefined
  } catch {
    return undefined
  }
}

/** Named by what it holds, and so never written to by clients; nor is anything below such a name. */
export function isOnlyPullable(name: string): boolean {
  const first = name.split('/', 1)[0] ?? ''
  return DIGEST_HEX.test(first) || cidOf(first) !== undefined
}
