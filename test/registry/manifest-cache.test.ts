import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { digestOf } from '../../src/oci/digest.ts'
import { ManifestCache } from '../../src/registry/manifest-cache.ts'
import { bytesOf } from './sample.ts'

describe('ManifestCache', () => {
  const manifests = Array.from({ length: 1000 }, (_, index) => {
    const bytes = bytesOf(String(index))
    return { digest: digestOf(bytes), mediaType: 'application/x', bytes }
  })
  const [first, second] = manifests

  it('counts what tiny manifests cost, and lets those go that were asked for the longest ago', () => {
    const cache = new ManifestCache(10_000)
    for (const manifest of manifests) {
      cache.add(manifest)
      if (first !== undefined) cache.get(first.digest)
    }
    const kept = manifests.filter(({ digest }) => cache.get(digest) !== undefined)
    assert.ok(kept.length > 1 && kept.length < 50, `${kept.length} kept`)
    assert.equal(first && cache.get(first.digest), first)
    assert.equal(second && cache.get(second.digest), undefined)
  })
})
