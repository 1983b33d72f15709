import { CID } from 'multiformats/cid'

/**
 * A CIDv1 of a directory hashed with sha2-256, in base32: nothing that a person would call a repository. The letters stand
 * for five bits each: the first is the rest of what it is, of the last two are spare, and only one spelling names it.
 */
const DIRECTORY_CID = /^bafybei[a-h][a-z2-7]{50}[aeimquy4]$/
const DIGEST_HEX = /^(?:[0-9a-f]{64}|[0-9a-f]{128})$/

export function isCid(name: string): boolean {
  return DIRECTORY_CID.test(name)
}

/** The CID that a repository's name is, or undefined where it is an ordinary name. */
export function cidOf(name: string): CID | undefined {
  return isCid(name) ? CID.parse(name) : undefined
}

/** Named by what it holds, and so never written to by clients; nor is anything below such a name. */
export function isOnlyPullable(name: string): boolean {
  const first = name.split('/', 1)[0] ?? ''
  return DIGEST_HEX.test(first) || isCid(first)
}
