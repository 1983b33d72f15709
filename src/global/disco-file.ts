import { CID } from 'multiformats/cid'
import { VerificationError } from '../ipfs/errors.ts'
import { parseBoundedJson } from '../oci/bounded-json.ts'
import { formatDigest, parseDigest, type Digest } from '../oci/digest.ts'
import { MAX_REFERENCES } from '../registry/limits.ts'

/** Where the bytes of a blob are found: an entry of `disco.json`. */
export interface DiscoEntry {
  readonly digest: Digest
  readonly cid: CID
}

const MAX_CID_LENGTH = 128

/** `disco.json` as the original writes it: sha256 digests by their hex alone, and one newline at the end. */
export function writeDiscoFile(entries: readonly DiscoEntry[]): Uint8Array {
  const blobs = entries.map(({ digest, cid }) => ({
    digest: digest.algorithm === 'sha256' ? digest.hex : formatDigest(digest),
    cid: cid.toString(),
  }))
  return new TextEncoder().encode(`${JSON.stringify({ blobs })}\n`)
}

/**
 * The entries in their order, each digest once. The original lists a layer as often as the manifest does; entries may
 * carry keys that are not known here.
 *
 * @throws VerificationError
 */
export function readDiscoFile(bytes: Uint8Array): DiscoEntry[] {
  const blobs = blobsOf(bytes)
  if (blobs.length === 0 || blobs.length > 2 * MAX_REFERENCES) throw invalid(`${blobs.length} blobs`)
  const entries = new Map<string, DiscoEntry>()
  for (const [index, blob] of blobs.entries()) {
    const entry = entryOf(blob, index)
    const key = formatDigest(entry.digest)
    const known = entries.get(key)
    if (known !== undefined && !known.cid.equals(entry.cid)) throw invalid(`blobs[${index}]: a second CID for ${key}`)
    if (known === undefined) entries.set(key, entry)
  }
  return [...entries.values()]
}

function blobsOf(bytes: Uint8Array): unknown[] {
  let json: unknown
  try {
    json = parseBoundedJson(bytes)
  } catch (cause) {
    throw invalid(cause instanceof RangeError ? cause.message : 'not valid JSON in UTF-8', cause)
  }
  const blobs = isObject(json) ? json['blobs'] : undefined
  if (!Array.isArray(blobs)) throw invalid('blobs: not a list')
  return blobs
}

function entryOf(value: unknown, index: number): DiscoEntry {
  const { digest: text, cid } = isObject(value) ? value : {}
  const digest = typeof text === 'string' ? parseDigest(text.includes(':') ? text : `sha256:${text}`) : undefined
  if (digest === undefined) throw invalid(`blobs[${index}].digest: not a digest`)
  if (typeof cid !== 'string' || cid.length > MAX_CID_LENGTH) throw invalid(`blobs[${index}].cid: not a CID`)
  try {
    return { digest, cid: CID.parse(cid) }
  } catch (cause) {
    throw invalid(`blobs[${index}].cid: not a CID`, cause)
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(reason: string, cause?: unknown): VerificationError {
  return new VerificationError(`disco.json: ${reason}`, { cause })
}
