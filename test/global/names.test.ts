import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { cidOf, isOnlyPullable } from '../../src/global/names.ts'

const CID = 'bafybeibbkcck6lz37hcipp2mwtfdgstydizjq45z4fkqq4va73mp7qzutu'
const HEX = 'dca71257cd2e72840a21f0323234bb2e33fea6d949fa0f21c5102146f583486b'

describe('names of global repositories', () => {
  it('are CIDs of directories and the hex of digests', () => {
    assert.equal(cidOf(CID)?.toString(), CID)
    for (const name of [CID, HEX, HEX + HEX]) assert.equal(isOnlyPullable(name), true, name)
  })

  it('own everything below them', () => {
    assert.equal(isOnlyPullable(`${CID}/nested`), true)
    assert.equal(isOnlyPullable(`${HEX}/nested`), true)
    assert.equal(cidOf(`${CID}/nested`), undefined)
  })

  it('are nothing that a person would call a repository', () => {
    const others = [
      'library/alpine', 'bafy', 'bafybei', `${CID}x`, CID.slice(0, -1), `my/${CID}`, `my/${HEX}`,
      'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy', 'QmQahNfao3EqrFMKExRB8bedoSgot5mQJH5GDPBuMZH41r',
      HEX.slice(1), `${HEX}a`, HEX.toUpperCase(), `sha256:${HEX}`, '',
    ]
    for (const name of others) assert.equal(isOnlyPullable(name), false, name)
  })

  it('have one spelling', () => {
    const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
    const last = alphabet.indexOf(CID.at(-1) ?? '')
    const others = Array.from(alphabet).filter((letter, value) => (value >> 2) === (last >> 2) && letter !== CID.at(-1))
    for (const letter of others) assert.equal(cidOf(CID.slice(0, -1) + letter), undefined)
  })
})
