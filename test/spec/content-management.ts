import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { IMAGE, descriptor, randomContent, type Repository } from './client.ts'

export function contentManagementSuite(repository: () => Repository): void {
  describe('§Deleting tags', () => {
    it('upon success, the registry MUST respond with a 202 Accepted code, and the tag alone goes', async () => {
      const there = repository()
      const image = await there.image()
      for (const tag of ['v1', 'v2']) await there.putManifest(image, tag)
      assert.equal((await there.ask('manifests/v1', { method: 'DELETE' })).status, 202)
      assert.equal((await there.ask('manifests/v1')).status, 404)
      assert.deepEqual((await there.tags()).tags, ['v2'])
      assert.equal((await there.ask(`manifests/${image.digest}`)).status, 200)
    })

    it('if the repository or the tag does not exist, the response code MUST be 404 Not Found', async () => {
      const there = repository()
      assert.equal((await there.ask('manifests/v1', { method: 'DELETE' })).status, 404)
      await there.pushImage('v1')
      assert.equal((await there.ask('manifests/v2', { method: 'DELETE' })).status, 404)
    })
  })

  describe('§Deleting manifests', () => {
    it('upon success, the registry MUST respond with a 202 Accepted code, and a GET of it MUST be 404 Not Found', async () => {
      const there = repository()
      for (const algorithm of ['sha256', 'sha512'] as const) {
        const image = await there.image({ algorithm })
        await there.putManifest(image, image.digest)
        assert.equal((await there.ask(`manifests/${image.digest}`, { method: 'DELETE' })).status, 202)
        for (const method of ['GET', 'HEAD', 'DELETE']) assert.equal((await there.ask(`manifests/${image.digest}`, { method })).status, 404)
      }
    })

    it('any tag pointing to that digest MUST return a 404 Not Found', async () => {
      const there = repository()
      const image = await there.image()
      for (const tag of ['v1', 'v2']) await there.putManifest(image, tag)
      const other = await there.pushImage('v3')
      await there.ask(`manifests/${image.digest}`, { method: 'DELETE' })
      for (const tag of ['v1', 'v2']) assert.equal((await there.ask(`manifests/${tag}`)).status, 404)
      assert.deepEqual((await there.tags()).tags, ['v3'])
      assert.equal((await there.ask(`manifests/${other.digest}`)).status, 200)
    })

    it('if the repository or the manifest does not exist, the response code MUST be 404 Not Found', async () => {
      const there = repository()
      assert.equal((await there.ask(`manifests/${randomContent().digest}`, { method: 'DELETE' })).status, 404)
      await there.pushImage('v1')
      assert.equal((await there.ask(`manifests/${randomContent().digest}`, { method: 'DELETE' })).status, 404)
    })

    it('a manifest with a subject that is deleted is no referrer any more; the subject\'s end leaves its referrers', async () => {
      const there = repository()
      const subject = await there.pushImage('v1')
      const refer = () => there.pushImage(undefined, { more: { subject: descriptor(IMAGE, subject) } })
      const [first, second] = [await refer(), await refer()]
      await there.ask(`manifests/${first.digest}`, { method: 'DELETE' })
      assert.deepEqual((await there.referrers(subject.digest)).manifests.map(({ digest }) => digest), [second.digest])
      await there.ask(`manifests/${subject.digest}`, { method: 'DELETE' })
      assert.deepEqual((await there.referrers(subject.digest)).manifests.map(({ digest }) => digest), [second.digest])
    })
  })

  describe('§Deleting Blobs', () => {
    it('upon success, the registry MUST respond with code 202 Accepted, and the blob is gone from this repository alone', async () => {
      const [there, elsewhere] = [repository(), repository()]
      for (const algorithm of ['sha256', 'sha512'] as const) {
        const blob = randomContent(100, algorithm)
        for (const name of [there, elsewhere]) await name.pushBlob(blob)
        assert.equal((await there.ask(`blobs/${blob.digest}`, { method: 'DELETE' })).status, 202)
        assert.equal((await there.ask(`blobs/${blob.digest}`)).status, 404)
        assert.deepEqual((await elsewhere.ask(`blobs/${blob.digest}`)).bytes, blob.bytes)
      }
    })

    it('if the blob is not found, a 404 Not Found code MUST be returned', async () => {
      const there = repository()
      await there.pushImage('v1')
      assert.equal((await there.ask(`blobs/${randomContent().digest}`, { method: 'DELETE' })).status, 404)
    })

    it('what was deleted can be pushed again', async () => {
      const there = repository()
      const blob = await there.pushBlob(randomContent())
      await there.ask(`blobs/${blob.digest}`, { method: 'DELETE' })
      await there.pushBlob(blob)
      assert.deepEqual((await there.ask(`blobs/${blob.digest}`)).bytes, blob.bytes)
    })
  })
}

/** On a registry where deletion is off. */
export function withoutDeletionSuite(repository: () => Repository): void {
  it('§Deleting: if deletion is disabled, the registry MUST respond with either a 400 Bad Request or a 405 Method Not Allowed', async () => {
    const there = repository()
    const image = await there.pushImage('v1')
    const blob = await there.pushBlob(randomContent())
    for (const path of ['manifests/v1', `manifests/${image.digest}`, `blobs/${blob.digest}`]) {
      assert.equal((await there.ask(path, { method: 'DELETE' })).status, 405)
      assert.equal((await there.ask(path)).status, 200)
    }
  })
}
