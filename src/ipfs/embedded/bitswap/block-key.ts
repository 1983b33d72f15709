import type { CID } from 'multiformats/cid'
import { sha256, SHA2_256 } from '../../unixfs/block.ts'
import { ByteReader, ByteWriter } from './wire.ts'

const HASH_SIZE = 32

/** What a block is known by: CIDs that differ in version or codec only are the same block. */
export function blockKey(cid: CID): string {
  return Buffer.from(cid.multihash.bytes).toString('latin1')
}

/** The CID without its digest, as bitswap sends it beside a block. */
export function blockPrefix(cid: CID): Uint8Array {
  const { code, size } = cid.multihash
  return new ByteWriter().varint(cid.version).varint(cid.code).varint(code).varint(size).finish()
}

/**
 * The key that the bytes of a block have under the hash function of `prefix`; undefined when it is not sha2-256.
 *
 * @throws RangeError when it is no prefix
 */
export function keyOfBlock(prefix: Uint8Array, data: Uint8Array): string | undefined {
  const reader = new ByteReader(prefix)
  reader.varint()
  reader.varint()
  if (reader.varint() !== SHA2_256 || reader.varint() !== HASH_SIZE) return undefined
  return Buffer.concat([SHA2_256_HEAD, sha256(data)]).toString('latin1')
}

/** What stands before the digest in a multihash. */
const SHA2_256_HEAD = Uint8Array.of(SHA2_256, HASH_SIZE)
