import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toRegistryError } from '../../src/http/error-answer.ts'
import { KuboRefusedError } from '../../src/ipfs/kubo/nodes/errors.ts'
import { failed } from '../../src/ipfs/kubo/nodes/nodes.ts'

describe('a Kubo without room on its disk', () => {
  const refusal = new KuboRefusedError('http://kubo:5001', 'add', 'committing batch to datastore at /: write /data/blocks/x: no space left on device')

  it('is named as what it is, without its places, and refuses only what is written for lack of room', () => {
    for (const [writing, status] of [[true, 507], [false, 503]] as const) {
      const told = toRegistryError(failed(refusal, writing))
      assert.deepEqual([told.code, told.status, told.message], ['UNAVAILABLE', status, 'an IPFS node has no room left on its disk'])
    }
  })
})
