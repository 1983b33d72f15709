import { hash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import * as Multihash from 'multiformats/hashes/digest'
import { VerificationError } from '../errors.ts'

/** Multicodec codes: the two codecs of UnixFS, and the two hashes that Disco knows. */
export const RAW = 0x55
export const DAG_PB = 0x70
export const SHA2_256 = 0x12
export const IDENTITY = 0x00

/** Bytes of a block at most: what bitswap carries, and what Kubo takes from a gateway. */
export const MAX_BLOCK_SIZE: number = 2 * 1024 * 1024

export interface Block {
  readonly cid: CID
  readonly bytes: Uint8Array
}

export function sha256(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer')
}

/** The CIDv1 of what has this sha2-256. */
export function cidOf(codec: typeof RAW | typeof DAG_PB, digest: Uint8Array): CID {
  return CID.createV1(codec, Multihash.create(SHA2_256, digest))
}

/** Whether they name the same bytes, in whatever version and codec. */
export function sameBlock(one: CID, other: CID): boolean {
  return Buffer.compare(one.multihash.bytes, other.multihash.bytes) === 0
}

/** What an identity CID carries in itself; undefined for every other CID. */
export function inlined(cid: CID): Uint8Array | undefined {
  return cid.multihash.code === IDENTITY ? cid.multihash.digest : undefined
}

/** @throws VerificationError when `bytes` do not hash to `cid` by sha2-256 */
export function verifyBlock(cid: CID, bytes: Uint8Array): void {
  const { code, digest } = cid.multihash
  if (bytes.length > MAX_BLOCK_SIZE) throw new VerificationError(`block ${cid} is larger than ${MAX_BLOCK_SIZE} bytes`)
  if (code !== SHA2_256 || !sha256(bytes).equals(digest)) throw new VerificationError(`bytes that came for block ${cid} do not hash to it`)
}
