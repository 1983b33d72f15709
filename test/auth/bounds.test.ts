import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { BoundedMap } from '../../src/oci/bounded-map.ts'
import { FailedLogins } from '../../src/auth/failed-logins.ts'

describe('what is remembered of logins', () => {
  it('is no more than there is room for, and goes with time', async () => {
    const map = new BoundedMap<number>(3, 40)
    for (let i = 0; i < 5; i++) map.set(String(i), i)
    map.set('2', 7)
    map.set('5', 5)
    assert.deepEqual(['0', '1', '2', '3', '4', '5'].map((key) => map.get(key)), [undefined, undefined, 7, undefined, 4, 5])
    await sleep(60)
    assert.deepEqual(['2', '4', '5'].map((key) => map.get(key)), [undefined, undefined, undefined])
  })

  it('grows from a second to a minute for who goes on guessing, and is not reset by names that nobody has', () => {
    const failed = new FailedLogins(100)
    const waits: number[] = []
    for (let i = 0; i < 14; i++) {
      failed.begin('192.0.2.1', 'alice')
      waits.push(Math.round(failed.wait('192.0.2.1', 'alice') / 1000))
    }
    assert.deepEqual(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60])
    for (let i = 0; i < 60; i++) failed.begin('192.0.2.1', `name ${i}`)
    assert.ok(failed.wait('192.0.2.1', 'anybody') > 5_000)
    assert.equal(failed.wait('192.0.2.2', 'anybody'), 0)
  })

  it('is not pushed out by attempts that were never made', () => {
    const failed = new FailedLogins(100)
    for (let i = 0; i < 10; i++) failed.begin('192.0.2.1', 'alice')
    for (let i = 0; i < 200; i++) {
      failed.begin(`198.51.100.${i}`, `name ${i}`)
      failed.undo(`198.51.100.${i}`, `name ${i}`)
    }
    assert.ok(failed.wait('192.0.2.1', 'alice') > 10_000)
  })
})
