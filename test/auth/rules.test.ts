import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AccessPolicy, NOBODY_IN_PARTICULAR, type Asker } from '../../src/auth/rules.ts'
import { CATALOG, pull, push } from './harness.ts'

const CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'
const known = (user: string): Asker => ({ known: true, user })

describe('rules', () => {
  it('without any: who is known may do everything, nobody else anything', () => {
    const policy = new AccessPolicy({})
    assert.ok(policy.allows(known('a'), push('x/y')))
    assert.ok(policy.allows(known('a'), { type: 'repository', name: 'x', actions: ['delete'] }))
    assert.ok(policy.allows(known('a'), CATALOG))
    assert.ok(!policy.allows(NOBODY_IN_PARTICULAR, pull('x')))
    assert.equal(policy.admitsAnonymous, false)
  })

  it('with anonymousPull: everybody may pull, and no more', () => {
    const policy = new AccessPolicy({ anonymousPull: true })
    assert.ok(policy.allows(NOBODY_IN_PARTICULAR, pull(CID)))
    assert.ok(!policy.allows(NOBODY_IN_PARTICULAR, push('x')))
    assert.ok(!policy.allows(NOBODY_IN_PARTICULAR, CATALOG))
    assert.ok(policy.allows(known('a'), push('x')))
    assert.equal(policy.admitsAnonymous, true)
  })

  it('take the place of that: what none of them allows is refused', () => {
    const policy = new AccessPolicy({ rules: [{ repository: ['team/*'], users: ['alice'], actions: ['pull', 'push'] }] })
    assert.ok(policy.allows(known('alice'), push('team/app')))
    for (const name of ['team', 'team/', 'team/a/b', 'xteam/a', 'team2/a']) assert.ok(!policy.allows(known('alice'), pull(name)) || name === 'team/', name)
    assert.ok(!policy.allows(known('alice'), { type: 'repository', name: 'team/app', actions: ['delete'] }))
    assert.ok(!policy.allows(known('bob'), pull('team/app')))
    assert.ok(!policy.allows(known('alice'), CATALOG))
  })

  it('add up: what any of those that match allows', () => {
    const policy = new AccessPolicy({
      rules: [
        { repository: ['a'], users: ['*'], actions: ['pull'] },
        { repository: ['**'], users: ['ci-*'], actions: ['push'] },
        { repository: ['**'], users: ['root'], actions: ['*'] },
      ],
    })
    assert.ok(policy.allows(known('ci-1'), push('a')))
    assert.ok(!policy.allows(known('ci-1'), push('b')))
    assert.ok(policy.allows(known('root'), { type: 'repository', name: 'b/c', actions: ['pull', 'push', 'delete'] }))
  })

  it('know names that say what they hold', () => {
    const policy = new AccessPolicy({ rules: [{ repository: ['<cid>', '<digest>'], users: ['anonymous'], actions: ['pull'] }] })
    assert.ok(policy.allows(NOBODY_IN_PARTICULAR, pull(CID)))
    assert.ok(policy.allows(NOBODY_IN_PARTICULAR, pull(CID.replace('bafybei', 'bafkrei'))))
    assert.ok(policy.allows(NOBODY_IN_PARTICULAR, pull('0'.repeat(64))))
    assert.ok(policy.allows(known('x'), pull(CID)), 'what everybody may, who is known may too')
    for (const name of ['app', `${CID}/x`, `x${CID}`, '0'.repeat(63), '0'.repeat(65)]) assert.ok(!policy.allows(NOBODY_IN_PARTICULAR, pull(name)), name)
  })

  it('give names that say what they hold to nobody whose patterns merely fit them', () => {
    const pieces = [CID, CID.replace('bafybei', 'bafkrei'), 'ab'.repeat(32), 'ab'.repeat(64)]
    for (const pattern of ['*', 'b*', 'a*', 'b**', '***', 'bafybei*', '*a*', '[a-b]*']) {
      const policy = new AccessPolicy({ rules: [{ repository: [pattern], users: ['anonymous'], actions: ['*'] }] })
      for (const name of pieces) assert.ok(!policy.allows(NOBODY_IN_PARTICULAR, pull(name)), `${pattern} ${name}`)
    }
    for (const pattern of ['**', CID]) {
      const policy = new AccessPolicy({ rules: [{ repository: [pattern, 'x*'], users: ['anonymous'], actions: ['pull'] }] })
      assert.ok(policy.allows(NOBODY_IN_PARTICULAR, pull(CID)), pattern)
    }
  })

  it('take letters of patterns as they are', () => {
    const policy = new AccessPolicy({ rules: [{ repository: ['a.b', 'c(d)|e'], users: ['a+'], actions: ['pull'] }] })
    assert.ok(policy.allows(known('a+'), pull('a.b')))
    assert.ok(!policy.allows(known('aa'), pull('a.b')))
    for (const name of ['axb', 'cd', 'e', 'a.b\n']) assert.ok(!policy.allows(known('a+'), pull(name)), name)
  })

  it('give the catalog to those who may pull all that it names', () => {
    const rules = [
      { repository: ['**'], users: ['reader'], actions: ['pull'] },
      { repository: ['*/*'], users: ['half'], actions: ['*'] },
      { repository: ['**'], users: ['writer'], actions: ['push'] },
    ]
    const policy = new AccessPolicy({ rules })
    assert.deepEqual(['reader', 'half', 'writer'].map((user) => policy.allows(known(user), CATALOG)), [true, false, false])
  })

  it('are told at once by a long name', () => {
    const policy = new AccessPolicy({ rules: [{ repository: ['**a**a**a**b'], users: ['anonymous'], actions: ['pull'] }] })
    const began = performance.now()
    for (const length of [255, 16_000]) assert.ok(!policy.allows(NOBODY_IN_PARTICULAR, pull('a'.repeat(length))))
    assert.ok(policy.allows(NOBODY_IN_PARTICULAR, pull(`x/a${'a/'.repeat(100)}b`)))
    assert.ok(performance.now() - began < 100)
  })
})
