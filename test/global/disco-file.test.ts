import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CID } from 'multiformats/cid'
import { readDiscoFile, writeDiscoFile } from '../../src/global/disco-file.ts'
import { VerificationError } from '../../src/ipfs/errors.ts'

const A = 'a'.repeat(64)
const B = 'b'.repeat(64)
const LONG = 'c'.repeat(128)
const CID_A = 'QmZFwJdqgfMKCK4by7nsTRCmQiPWJbVrvup62jjBhmgRP9'
const CID_B = 'bafybeibbkcck6lz37hcipp2mwtfdgstydizjq45z4fkqq4va73mp7qzutu'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const file = (...blobs: unknown[]): Uint8Array => bytes(JSON.stringify({ blobs }))

describe('disco.json', () => {
  it('is written as the original does, sha512 digests in full', () => {
    const written = writeDiscoFile([
      { digest: { algorithm: 'sha256', hex: A }, cid: CID.parse(CID_A) },
      { digest: { algorithm: 'sha512', hex: LONG }, cid: CID.parse(CID_B) },
    ])
    assert.equal(new TextDecoder().decode(written), `{"blobs":[{"digest":"${A}","cid":"${CID_A}"},{"digest":"sha512:${LONG}","cid":"${CID_B}"}]}\n`)
    assert.deepEqual(writeDiscoFile(readDiscoFile(written)), written)
  })

  it('may have keys of others, and the same entry again', () => {
    const entries = readDiscoFile(file({ digest: A, cid: CID_A, size: 4 }, { digest: B, cid: CID_B }, { digest: A, cid: CID_A }))
    assert.deepEqual(entries.map(({ digest }) => digest.hex), [A, B])
  })

  const refused: [string, Uint8Array][] = [
    ['no JSON', bytes('blobs')],
    ['no UTF-8', Uint8Array.of(0x22, 0xff, 0x22)],
    ['no object', bytes('[]')],
    ['no list', bytes('{"blobs":{}}')],
    ['no entry', file()],
    ['an entry that is none', file(null)],
    ['a digest that is none', file({ digest: 'A'.repeat(64), cid: CID_A })],
    ['a digest of another algorithm', file({ digest: `md5:${'a'.repeat(32)}`, cid: CID_A })],
    ['a CID that is none', file({ digest: A, cid: 'latest' })],
    ['a CID without end', file({ digest: A, cid: `b${'a'.repeat(1_000_000)}` })],
    ['a digest with two CIDs', file({ digest: A, cid: CID_A }, { digest: A, cid: CID_B })],
    ['entries without end', file(...Array.from({ length: 5000 }, () => ({ digest: A, cid: CID_A })))],
  ]
  for (const [what, content] of refused) {
    it(`is refused with ${what}`, () => {
      assert.throws(() => readDiscoFile(content), VerificationError)
    })
  }
})
