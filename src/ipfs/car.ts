import { CarWriter } from '@ipld/car'
import type { CID } from 'multiformats/cid'
import { varint } from 'multiformats'
import { inlined, type Block } from './unixfs/block.ts'

/** A CARv1 stream (ipld.io/specs/transport/car/carv1), as its reader asks for it. */
export async function* encodeCar(root: CID, blocks: AsyncIterable<Block> | Iterable<Block>): AsyncGenerator<Uint8Array, void, undefined> {
  const { writer, out } = CarWriter.create([root])
  const closed = writer.close()
  yield* out
  await closed
  for await (const { cid, bytes } of blocks) {
    // "A Gateway MUST NOT include virtual blocks identified by identity CIDs."
    if (inlined(cid) !== undefined) continue
    const length = cid.bytes.length + bytes.length
    const head = Buffer.alloc(varint.encodingLength(length) + cid.bytes.length)
    varint.encodeTo(length, head)
    head.set(cid.bytes, head.length - cid.bytes.length)
    yield head
    if (bytes.length > 0) yield bytes
  }
}
