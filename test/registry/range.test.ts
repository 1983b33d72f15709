import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseContentRange, parseRange, uploadRange } from '../../src/oci/range.ts'

describe('Range', () => {
  it('reads single ranges, open and suffix ones too', () => {
    assert.deepEqual(parseRange('bytes=0-0', 10), { start: 0, length: 1 })
    assert.deepEqual(parseRange('bytes=2-5', 10), { start: 2, length: 4 })
    assert.deepEqual(parseRange('bytes=2-', 10), { start: 2, length: 8 })
    assert.deepEqual(parseRange('bytes=2-99999999999999999999999', 10), { start: 2, length: 8 })
    assert.deepEqual(parseRange('bytes=-3', 10), { start: 7, length: 3 })
    assert.deepEqual(parseRange('bytes=-30', 10), { start: 0, length: 10 })
    assert.deepEqual(parseRange('Bytes=1-1', 10), { start: 1, length: 1 })
  })

  it('knows what cannot be satisfied', () => {
    for (const header of ['bytes=10-', 'bytes=5-2', 'bytes=10-20', 'bytes=-0', 'bytes=99999999999999999999-']) assert.equal(parseRange(header, 10), 'unsatisfiable')
    assert.equal(parseRange('bytes=0-', 0), 'unsatisfiable')
    assert.equal(parseRange('bytes=-1', 0), 'unsatisfiable')
  })

  it('takes none, malformed and several as the whole', () => {
    for (const header of [undefined, '', 'bytes', 'bytes=-', 'bytes=a-b', 'items=0-1', 'bytes=0-1,3-4', 'bytes=1.5-2']) {
      assert.equal(parseRange(header, 10), 'whole')
    }
  })
})

describe('Content-Range', () => {
  it('is two inclusive ends and nothing else', () => {
    assert.deepEqual(parseContentRange('0-9'), { start: 0, length: 10 })
    assert.deepEqual(parseContentRange('5-5'), { start: 5, length: 1 })
    for (const header of ['', '5-4', '-5', '5-', 'bytes 0-9/10', '0-9/10', '0x1-3', '0-99999999999999999999']) assert.equal(parseContentRange(header), undefined)
  })

  it('is told back as Range', () => {
    assert.equal(uploadRange(10), '0-9')
    assert.equal(uploadRange(0), '0-0')
  })
})
