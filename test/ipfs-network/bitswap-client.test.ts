import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { blockPrefix } from '../../src/ipfs/embedded/bitswap/block-key.ts'
import { BitswapClient } from '../../src/ipfs/embedded/bitswap/client.ts'
import { cidOf, RAW, sha256 } from '../../src/ipfs/unixfs/block.ts'
import { giveBack } from '../../src/storage/give-back.ts'
import { fill } from '../contract/bytes.ts'

describe('bitswap: a block that is wanted several times', () => {
  it('is asked for once, and each who wants it may use up its bytes', async () => {
    const bytes = fill(1000)
    const cid = cidOf(RAW, sha256(bytes))
    const sent: number[] = []
    const client = new BitswapClient(async (_, { wants }) => void sent.push(wants.length))
    const wanted = [1, 2, 3].map(async () => {
      const block = (await client.want('peer', cid)) ?? assert.fail()
      const hash = sha256(block)
      giveBack(block)
      return hash
    })
    client.receive('peer', { blocks: [{ prefix: blockPrefix(cid), data: bytes }], presences: [], wants: [], full: false })
    for (const hash of await Promise.all(wanted)) assert.deepEqual(hash, sha256(bytes))
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(sent, [1])
  })
})
