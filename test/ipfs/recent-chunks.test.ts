import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RecentChunks } from '../../src/ipfs/embedded/recent-chunks.ts'
import { Window } from '../../src/ipfs/unixfs/window.ts'

const chunk = (byte: number, size = 10): Uint8Array => new Uint8Array(size).fill(byte)

/** How many a window still has. */
function free(room: Window): number {
  let count = 0
  while (room.take()) count++
  for (let given = 0; given < count; given++) room.give()
  return count
}

describe('the recent chunks of a file', () => {
  it('are kept while somebody reads along, the last of them', () => {
    const room = new Window(100)
    const recent = new RecentChunks(room)
    const first = chunk(0)
    recent.add(0, first)
    assert.equal(first.byteLength, 0, 'nobody reads: its memory is given back')
    const leave = recent.readAlong()
    for (let index = 1; index < 8; index++) recent.add(index * 10, chunk(index))
    assert.equal(recent.hold(35), undefined)
    const held = recent.hold(43) ?? assert.fail()
    assert.deepEqual(held.bytes, chunk(4, 7))
    assert.equal(recent.hold(80), undefined, 'it has not come')
    held.release()
    leave()
    assert.equal(recent.hold(70), undefined)
    assert.equal(free(room), 100)
  })

  it('stay as they are for who holds one, also when they go meanwhile', () => {
    const room = new Window(100)
    const recent = new RecentChunks(room)
    const leave = recent.readAlong()
    recent.add(0, chunk(1))
    const [one, other] = [recent.hold(0) ?? assert.fail(), recent.hold(5) ?? assert.fail()]
    recent.clear()
    one.release()
    assert.deepEqual(other.bytes, chunk(1, 5))
    assert.equal(free(room), 99)
    other.release()
    assert.equal(other.bytes.byteLength, 0)
    assert.equal(free(room), 100)
    leave()
  })

  it('of all files together are as many as there is room for', () => {
    const room = new Window(2)
    const [one, other] = [new RecentChunks(room), new RecentChunks(room)]
    const leave = [one, other].map((recent) => recent.readAlong())
    for (const recent of [one, other]) for (let index = 0; index < 2; index++) recent.add(index * 10, chunk(index))
    assert.notEqual(one.hold(10), undefined)
    assert.equal(other.hold(0), undefined)
    for (const end of leave) end()
    assert.equal(free(room), 1, 'one is held')
  })
})
