import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SliceRows } from '../../src/ipfs/embedded/slice-row.ts'
import { fill } from '../contract/bytes.ts'

describe('rows in few bytes', () => {
  it('come back as they went in, whatever their size', () => {
    const heads = [0, 1, 14, 60_000, 70_000, 0, 2_000_000, 5]
    const expected = Array.from({ length: 3000 }, (_, i) => ({
      hash: fill(32, i),
      offset: i * 2 ** 30 + i,
      length: (i * 7919) % 2 ** 21,
      head: fill(i % 400 === 0 ? heads[(i / 400) % heads.length] ?? 0 : i % 20, i),
      tail: fill(i % 3, i),
    }))
    const rows = new SliceRows()
    for (const row of expected) rows.add(row)
    let count = 0
    for (const row of rows) {
      const { hash, head, tail, ...rest } = expected[count++] ?? assert.fail('one too many')
      assert.deepEqual({ offset: row.offset, length: row.length }, rest)
      for (const [a, b] of [[row.hash, hash], [row.head, head], [row.tail, tail]] as const) assert.equal(Buffer.compare(a, b), 0)
    }
    assert.equal(count, expected.length)
  })

  it('are none where none was added', () => {
    assert.deepEqual([...new SliceRows()], [])
  })
})
