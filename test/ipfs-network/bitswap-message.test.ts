import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { decodeMessage, encodeMessage, type BitswapMessage } from '../../src/ipfs/embedded/bitswap/message.ts'
import { ByteReader } from '../../src/ipfs/embedded/bitswap/wire.ts'

const buffer = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

function withoutLength(pieces: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(Buffer.concat(pieces))
  const reader = new ByteReader(bytes)
  assert.equal(reader.varint(), bytes.length - reader.offset)
  return bytes.subarray(reader.offset)
}

describe('bitswap message', () => {
  it('comes back as it was sent', () => {
    const message: BitswapMessage = {
      full: true,
      wants: [
        { cid: buffer('one'), cancel: false, have: true, sendDontHave: true },
        { cid: buffer('two'), cancel: true, have: false, sendDontHave: false },
      ],
      blocks: [{ prefix: buffer('prefix'), data: new Uint8Array(300) }, { prefix: buffer('p'), data: new Uint8Array() }],
      presences: [{ cid: buffer('here'), has: true }, { cid: buffer('not'), has: false }],
    }
    assert.deepEqual(decodeMessage(withoutLength(encodeMessage(message))), message)
  })

  it('is read as others write it', () => {
    // boxo: a wantlist of one want-block with sendDontHave, priority 2147483632, and pendingBytes 5
    const hex = '0a110a0f0a0301020310f0ffffff07200028012805'
    assert.deepEqual(decodeMessage(Buffer.from(hex, 'hex')).wants.map(({ have, sendDontHave }) => [have, sendDontHave]), [[false, true]])
  })

  it('may be empty', () => {
    assert.deepEqual(decodeMessage(new Uint8Array()), { wants: [], full: false, blocks: [], presences: [] })
  })

  it('is refused, before it costs much, when it is all small entries', () => {
    const repeated = (...bytes: number[]): Uint8Array => Buffer.alloc(4 * 1024 * 1024 - 8, Uint8Array.from(bytes))
    const wantlist = Buffer.concat([Uint8Array.of(0x0a, 0xf8, 0xff, 0xff, 0x01), repeated(0x0a, 0)])
    for (const message of [wantlist, repeated(0x22, 0), repeated(0x1a, 0), repeated(0x28, 0), repeated(0x22, 3, 0x0a, 1, 0x55, 0x1a, 0, 0)]) {
      const began = performance.now()
      assert.throws(() => decodeMessage(message), RangeError)
      assert.ok(performance.now() - began < 200)
    }
  })

  it('is refused, and nothing worse, when it is garbage', () => {
    for (let i = 0; i < 2_000; i++) {
      try {
        decodeMessage(randomBytes(i % 97))
      } catch (error) {
        assert.ok(error instanceof RangeError)
      }
    }
  })
})
