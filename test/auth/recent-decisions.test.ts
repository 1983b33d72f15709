import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Authorizer, Claim, Scope } from '../../src/auth/authorizer.ts'
import { RecentDecisions } from '../../src/auth/recent-decisions.ts'
import { RegistryError } from '../../src/oci/errors.ts'

const claim: Claim = { authorization: 'Basic x', address: '192.0.2.1', origin: 'http://registry.example' }
const pull = (name: string): Scope => ({ type: 'repository', name, actions: ['pull'] })

/** Lets everybody in and counts who asks. */
class Counting implements Authorizer {
  asked = 0
  refuses = false

  async authorize(): Promise<{ user: string; mayPull: () => boolean }> {
    this.asked++
    if (this.refuses) throw new RegistryError('DENIED')
    return { user: 'alice', mayPull: () => true }
  }
}

describe('recent decisions', () => {
  it('hold for the same words, address and scope, and for nothing else', async () => {
    const counting = new Counting()
    const decisions = new RecentDecisions(counting)
    for (let i = 0; i < 3; i++) assert.equal((await decisions.authorize(claim, [pull('a')])).user, 'alice')
    assert.equal(counting.asked, 1)
    const others: readonly (readonly [Claim, readonly Scope[]])[] = [
      [{ ...claim, authorization: 'Basic y' }, [pull('a')]],
      [{ ...claim, authorization: undefined }, [pull('a')]],
      [{ ...claim, address: '192.0.2.2' }, [pull('a')]],
      [claim, [pull('b')]],
      [claim, [{ ...pull('a'), actions: ['pull', 'push'] }]],
      [claim, [{ ...pull('a'), type: 'registry' }]],
      [claim, [pull('a'), pull('b')]],
      [claim, []],
    ]
    for (const [index, [who, scopes]] of others.entries()) {
      await decisions.authorize(who, scopes)
      assert.equal(counting.asked, index + 2)
    }
  })

  it('are never refusals', async () => {
    const counting = new Counting()
    const decisions = new RecentDecisions(counting)
    counting.refuses = true
    for (let i = 0; i < 2; i++) await assert.rejects(decisions.authorize(claim, [pull('a')]), { code: 'DENIED' })
    assert.equal(counting.asked, 2)
  })

  it('are forgotten after a second', async () => {
    const counting = new Counting()
    const decisions = new RecentDecisions(counting)
    await decisions.authorize(claim, [pull('a')])
    counting.refuses = true
    await new Promise((resolve) => setTimeout(resolve, 1_050))
    await assert.rejects(decisions.authorize(claim, [pull('a')]), { code: 'DENIED' })
  })
})
