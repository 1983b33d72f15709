import type { CID } from 'multiformats/cid'
import { createHash } from 'node:crypto'
import { ByteReader, ByteWriter } from './bitswap-wire.ts'

const IDENTITY = 0x00

/** Hash functions of blocks by their multicodec, as node:crypto names them. */
const HASHES: ReadonlyMap<number, string> = new Map([
  [0x12, 'sha256'],
  [0x13, 'sha512'],
])

/** What a block is known by: CIDs that differ in version or codec only are the same block. */
export function blockKey(cid: CID): string {
  return keyOf(cid.multihash.bytes)
}

/** Blocks under other hash functions can't be verified here. */
export function isVerifiable(cid: CID): boolean {
  return HASHES.has(cid.multihash.code)
}

/** The bytes of a block that its CID holds itself. */
export function identityBlock(cid: CID): Uint8Array | undefined {
  return cid.multihash.code === IDENTITY ? cid.multihash.digest : undefined
}

/** The CID without its digest, as bitswap sends it beside a block. */
export function blockPrefix(cid: CID): Uint8Array {
  const { code, size } = cid.multihash
  return new ByteWriter().varint(cid.version).varint(cid.code).varint(code).varint(size).finish()
}

/** The key that the bytes of a block have under the hash function of `prefix`; undefined when it is none that we know. */
export function keyOfBlock(prefix: Uint8Array, data: Uint8Array): string | undefined {
  const reader = new ByteReader(prefix)
  reader.varint()
  reader.varint()
  const code = reader.varint()
  const name = HASHES.get(code)
  if (name === undefined) return undefined
  const digest = createHash(name).update(data).digest()
  if (reader.varint() !== digest.length) return undefined
  return keyOf(new ByteWriter().varint(code).varint(digest.length).bytes(digest).finish())
}

function keyOf(multihash: Uint8Array): string {
  return Buffer.from(multihash.buffer, multihash.byteOffset, multihash.byteLength).toString('latin1')
}
