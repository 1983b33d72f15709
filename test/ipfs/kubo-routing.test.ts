import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { routeOf } from '../../src/ipfs/kubo/nodes/nodes.ts'

const TREE = 'docker/registry/v2'

describe('which of several Kubos has what', () => {
  // The values of the original's own test.
  it('is what the original says', () => {
    assert.equal(routeOf(`${TREE}/repositories/aa`, 2), 0)
    assert.equal(routeOf(`${TREE}/repositories/ac`, 2), 1)
    assert.equal(routeOf(`${TREE}/blobs/sha256/aa/aa`, 2), 0)
  })

  it('goes by the MD5 of a name or a blob, all 128 bits of it', () => {
    for (let nodes = 1; nodes <= 7; nodes++) {
      for (const id of ['aa', 'ac', 'some', createHash('sha256').update('x').digest('hex')]) {
        // Digit by digit, as on paper.
        let rest = 0
        for (const digit of createHash('md5').update(id).digest('hex')) rest = (rest * 16 + Number.parseInt(digit, 16)) % nodes
        assert.equal(routeOf(`${TREE}/repositories/${id}`, nodes), rest)
        assert.equal(routeOf(`${TREE}/blobs/sha256/${id.slice(0, 2)}/${id}/data`, nodes), rest)
      }
    }
  })

  it('is the same for all of a repository and of those below it', () => {
    for (const below of ['', '/_manifests/tags/latest/current/link', '/child/_layers/sha256/ab/link']) {
      assert.equal(routeOf(`${TREE}/repositories/name${below}`, 5), routeOf(`${TREE}/repositories/name`, 5))
    }
  })
})
