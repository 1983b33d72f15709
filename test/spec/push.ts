import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { IMAGE, INDEX, LAYER, codesOf, content, descriptor, location, randomContent, withQuery, type Repository } from './client.ts'

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/

async function isPullable(there: Repository, path: string, bytes: Buffer): Promise<void> {
  const answer = await there.ask(path)
  assert.equal(answer.status, 200)
  assert.ok(answer.bytes.equals(bytes))
}

export function pushSuite(repository: () => Repository): void {
  describe('§Pushing blobs', () => {
    it('if the client provided digest is invalid or uses an unsupported algorithm, the registry SHOULD respond with 400 Bad Request', async () => {
      const there = repository()
      const { bytes, digest } = randomContent()
      for (const wrong of ['x', 'sha256:x', `md5:${'0'.repeat(32)}`, `sha256:${'0'.repeat(64)}`, `sha512:${'0'.repeat(128)}`, digest.toUpperCase()]) {
        assert.equal((await there.ask(withQuery(await there.begin(), { digest: wrong }), { method: 'PUT', body: bytes })).status, 400, wrong)
        assert.equal((await there.ask(`blobs/uploads/?digest=${wrong}`, { method: 'POST', body: bytes })).status, 400, wrong)
      }
      assert.equal((await there.ask(`blobs/${digest}`, { method: 'HEAD' })).status, 404)
    })
  })

  describe('§POST then PUT', () => {
    it('the response to the POST MUST have a code of 202 Accepted and MUST include a Location, which MUST contain a UUID', async () => {
      const { status, headers } = await repository().ask('blobs/uploads/', { method: 'POST' })
      assert.equal(status, 202)
      assert.match(location(headers), UUID)
    })

    it('upon successful completion the response MUST have code 201 Created and MUST have the Location of a pullable blob', async () => {
      const there = repository()
      for (const algorithm of ['sha256', 'sha512'] as const) {
        const { bytes, digest } = randomContent(1000, algorithm)
        const headers = { 'Content-Type': 'application/octet-stream' }
        const answer = await there.ask(withQuery(await there.begin(), { digest }), { method: 'PUT', headers, body: bytes })
        assert.equal(answer.status, 201)
        await isPullable(there, location(answer.headers), bytes)
      }
    })
  })

  describe('§Single POST', () => {
    it('successful completion of the request MUST return a 201 Created and MUST include the Location of a pullable blob', async () => {
      const there = repository()
      for (const algorithm of ['sha256', 'sha512'] as const) {
        const { bytes, digest } = randomContent(1000, algorithm)
        const answer = await there.ask(`blobs/uploads/?digest=${digest}`, { method: 'POST', body: bytes })
        assert.equal(answer.status, 201)
        await isPullable(there, location(answer.headers), bytes)
      }
    })

    it('the <digest> MUST match the blob\'s digest', async () => {
      const there = repository()
      const answer = await there.ask(`blobs/uploads/?digest=${randomContent().digest}`, { method: 'POST', body: 'something else' })
      assert.equal(answer.status, 400)
      assert.deepEqual(codesOf(answer), ['DIGEST_INVALID'])
    })
  })

  describe('§Pushing a blob in chunks', () => {
    it('the POST for another digest algorithm SHOULD include digest-algorithm: it is taken where it is supported', async () => {
      const there = repository()
      const blob = randomContent(500, 'sha512')
      const upload = await there.begin('?digest-algorithm=sha512')
      const chunk = await there.ask(upload, { method: 'PATCH', headers: { 'Content-Range': '0-499' }, body: blob.bytes })
      assert.equal((await there.ask(withQuery(location(chunk.headers), { digest: blob.digest }), { method: 'PUT' })).status, 201)
      await isPullable(there, `blobs/${blob.digest}`, blob.bytes)
      assert.equal((await there.ask('blobs/uploads/?digest-algorithm=md5', { method: 'POST' })).status, 400)
    })

    it('the response for each successful chunk upload MUST be 202 Accepted, and MUST have Location and Range', async () => {
      const there = repository()
      const { bytes, digest } = randomContent(3000)
      let upload = await there.begin()
      for (const start of [0, 1000, 2000]) {
        const headers = { 'Content-Type': 'application/octet-stream', 'Content-Range': `${start}-${start + 999}` }
        const answer = await there.ask(upload, { method: 'PATCH', headers, body: bytes.subarray(start, start + 1000) })
        assert.equal(answer.status, 202)
        assert.equal(answer.headers.get('range'), `0-${start + 999}`)
        upload = location(answer.headers)
      }
      const answer = await there.ask(withQuery(upload, { digest }), { method: 'PUT' })
      assert.equal(answer.status, 201)
      await isPullable(there, location(answer.headers), bytes)
    })

    it('the final chunk MAY be uploaded in the closing PUT request', async () => {
      const there = repository()
      const { bytes, digest } = randomContent(1500)
      const first = await there.ask(await there.begin(), { method: 'PATCH', headers: { 'Content-Range': '0-999' }, body: bytes.subarray(0, 1000) })
      const last = { method: 'PUT', headers: { 'Content-Range': '1000-1499' }, body: bytes.subarray(1000) }
      const answer = await there.ask(withQuery(location(first.headers), { digest }), last)
      assert.equal(answer.status, 201)
      await isPullable(there, location(answer.headers), bytes)
    })

    it('a chunk without Content-Range goes to the end: streamed uploads', async () => {
      const there = repository()
      const { bytes, digest } = randomContent(1500)
      const first = await there.ask(await there.begin(), { method: 'PATCH', body: bytes.subarray(0, 1000) })
      const second = await there.ask(location(first.headers), { method: 'PATCH', body: bytes.subarray(1000) })
      assert.equal(second.headers.get('range'), '0-1499')
      assert.equal((await there.ask(withQuery(location(second.headers), { digest }), { method: 'PUT' })).status, 201)
    })

    it('the first chunk\'s range MUST begin with 0', async () => {
      const there = repository()
      assert.equal((await there.ask(await there.begin(), { method: 'PATCH', headers: { 'Content-Range': '1-4' }, body: 'abcd' })).status, 416)
    })

    it('the range MUST match ^[0-9]+-[0-9]+$', async () => {
      const there = repository()
      for (const range of ['bytes 0-3/4', '0-', 'x']) {
        assert.equal((await there.ask(await there.begin(), { method: 'PATCH', headers: { 'Content-Range': range }, body: 'abcd' })).status, 400, range)
      }
    })

    it('if a chunk is uploaded out of order, the registry MUST respond with a 416', async () => {
      const there = repository()
      const upload = await there.begin()
      await there.ask(upload, { method: 'PATCH', headers: { 'Content-Range': '0-3' }, body: 'abcd' })
      for (const range of ['0-3', '3-6', '5-8']) {
        assert.equal((await there.ask(upload, { method: 'PATCH', headers: { 'Content-Range': range }, body: 'efgh' })).status, 416, range)
      }
      const status = await there.ask(upload)
      assert.equal(status.headers.get('range'), '0-3')
    })

    it('if the final chunk is uploaded out of order, the registry MUST respond with a 416', async () => {
      const there = repository()
      const { bytes, digest } = content('abcdefgh')
      const upload = await there.begin()
      await there.ask(upload, { method: 'PATCH', headers: { 'Content-Range': '0-3' }, body: bytes.subarray(0, 4) })
      const early = await there.ask(withQuery(upload, { digest }), { method: 'PUT', headers: { 'Content-Range': '5-8' }, body: bytes.subarray(4) })
      assert.equal(early.status, 416)
      const right = await there.ask(withQuery(upload, { digest }), { method: 'PUT', headers: { 'Content-Range': '4-7' }, body: bytes.subarray(4) })
      assert.equal(right.status, 201)
    })

    it('the response to an active upload\'s GET MUST be a 204 No Content, and MUST have Location and Range', async () => {
      const there = repository()
      const upload = await there.begin()
      await there.ask(upload, { method: 'PATCH', body: 'abcd' })
      const { status, headers } = await there.ask(upload)
      assert.equal(status, 204)
      assert.equal(headers.get('range'), '0-3')
      assert.match(location(headers), UUID)
    })

    it('the closing PUT request MUST include the <digest> of the whole blob', async () => {
      const there = repository()
      const upload = await there.begin()
      await there.ask(upload, { method: 'PATCH', body: 'abcd' })
      assert.equal((await there.ask(upload, { method: 'PUT' })).status, 400)
      assert.equal((await there.ask(withQuery(upload, { digest: content('cd').digest }), { method: 'PUT' })).status, 400)
    })
  })

  describe('§Cancel a blob upload', () => {
    it('if successful, the response SHOULD be a 204 No Content, and the upload is gone', async () => {
      const there = repository()
      const upload = await there.begin()
      await there.ask(upload, { method: 'PATCH', body: 'abcd' })
      assert.equal((await there.ask(upload, { method: 'DELETE' })).status, 204)
      for (const method of ['GET', 'PATCH', 'DELETE']) assert.equal((await there.ask(upload, { method })).status, 404)
    })
  })

  describe('§Mounting a blob from another repository', () => {
    it('the response to a successful mount MUST be 201 Created, and MUST contain the Location of a pullable blob', async () => {
      const [from, to] = [repository(), repository()]
      for (const algorithm of ['sha256', 'sha512'] as const) {
        const { bytes, digest } = await from.pushBlob(randomContent(100, algorithm))
        const answer = await to.ask(`blobs/uploads/?mount=${digest}&from=${from.name}`, { method: 'POST' })
        assert.equal(answer.status, 201)
        assert.equal(answer.headers.get('docker-content-digest'), digest)
        await isPullable(to, location(answer.headers), bytes)
      }
    })

    it('the registry MAY treat the from parameter as optional: it mounts what it finds', async () => {
      const [from, to] = [repository(), repository()]
      const layer = randomContent()
      await from.pushImage('v1', { layers: [layer] })
      const answer = await to.ask(`blobs/uploads/?mount=${layer.digest}`, { method: 'POST' })
      assert.equal(answer.status, 201)
      await isPullable(to, location(answer.headers), layer.bytes)
    })

    it('if a registry is unable to mount the requested blob, it SHOULD return a 202: the upload session has begun', async () => {
      const [from, to] = [repository(), repository()]
      await from.pushBlob(randomContent())
      for (const source of [`&from=${from.name}`, '&from=nobody/knows', '']) {
        const blob = randomContent()
        const answer = await to.ask(`blobs/uploads/?mount=${blob.digest}${source}`, { method: 'POST' })
        assert.equal(answer.status, 202)
        assert.equal((await to.ask(withQuery(location(answer.headers), { digest: blob.digest }), { method: 'PUT', body: blob.bytes })).status, 201)
      }
    })
  })

  describe('§Pushing Manifests', () => {
    it('the registry MUST return response code 201 Created with the Location of a pullable manifest, stored in the exact byte representation', async () => {
      const there = repository()
      const compact = await there.image()
      const spaced = content(JSON.stringify(JSON.parse(compact.bytes.toString()), undefined, 7))
      for (const image of [compact, spaced]) {
        for (const reference of ['v1', image.digest]) {
          const answer = await there.putManifest(image, reference)
          assert.equal(answer.status, 201)
          assert.equal(answer.headers.get('docker-content-digest'), image.digest)
          await isPullable(there, location(answer.headers), image.bytes)
        }
      }
    })

    it('the Docker-Content-Digest header MUST be equal to the client provided digest', async () => {
      const there = repository()
      for (const algorithm of ['sha256', 'sha512'] as const) {
        const image = await there.image({ algorithm })
        const answer = await there.putManifest(image, image.digest)
        assert.equal(answer.headers.get('docker-content-digest'), image.digest)
        await isPullable(there, `manifests/${image.digest}`, image.bytes)
      }
    })

    it('a manifest whose digest is not the one that it is pushed by is refused', async () => {
      const there = repository()
      const answer = await there.putManifest(await there.image(), randomContent().digest)
      assert.equal(answer.status, 400)
      assert.deepEqual(codesOf(answer), ['DIGEST_INVALID'])
    })

    it('the registry SHOULD ignore parameters on the Content-Type header', async () => {
      const there = repository()
      assert.equal((await there.putManifest(await there.image(), 'v1', `${IMAGE}; charset=utf-8`)).status, 201)
      assert.equal((await there.ask('manifests/v1')).headers.get('content-type'), IMAGE)
    })

    it('the list of blobs MAY be empty', async () => {
      const there = repository()
      assert.equal((await there.putManifest(await there.image({ layers: [] }), 'v1')).status, 201)
    })

    it('when a manifest is rejected for what it refers to, it MUST result in MANIFEST_BLOB_UNKNOWN errors', async () => {
      const there = repository()
      const config = await there.pushBlob(content('{}'))
      const image = content(JSON.stringify({ schemaVersion: 2, mediaType: IMAGE, config: descriptor(IMAGE, config), layers: [descriptor(LAYER, randomContent())] }))
      const answer = await there.putManifest(image, 'v1')
      assert.deepEqual(codesOf(answer), ['MANIFEST_BLOB_UNKNOWN'])
      assert.equal((await there.ask('manifests/v1')).status, 404)
      const index = content(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [descriptor(IMAGE, randomContent())] }))
      assert.deepEqual(codesOf(await there.putManifest(index, 'v1', INDEX)), ['MANIFEST_BLOB_UNKNOWN'])
    })

    it('pushed by digest with tag parameters: SHOULD support at least 10 tags, MUST include an OCI-Tag response header for each accepted tag', async () => {
      const there = repository()
      const image = await there.image()
      const tags = Array.from({ length: 10 }, (_, index) => `v${index}`)
      const answer = await there.ask(`manifests/${image.digest}?${tags.map((tag) => `tag=${tag}`).join('&')}`, { method: 'PUT', headers: { 'Content-Type': IMAGE }, body: image.bytes })
      assert.equal(answer.status, 201)
      assert.deepEqual((answer.headers.get('oci-tag') ?? '').split(/,\s*/).toSorted(), tags)
      for (const tag of tags) await isPullable(there, `manifests/${tag}`, image.bytes)
    })

    it('MAY return a 414 Request-URI Too Long status if too many tags are included in the request', async () => {
      const there = repository()
      const image = await there.image()
      const query = Array.from({ length: 1000 }, (_, index) => `tag=v${index}`).join('&')
      const { status } = await there.ask(`manifests/${image.digest}?${query}`, { method: 'PUT', headers: { 'Content-Type': IMAGE }, body: image.bytes })
      assert.equal(status, 414)
      assert.equal((await there.ask('manifests/v0')).status, 404)
    })

    it('a registry that enforces a limit SHOULD respond with 413, and manifest pushes of at least 4 megabytes SHOULD be supported', async () => {
      const there = repository()
      const filled = async (size: number): Promise<number> => {
        const bare = JSON.parse((await there.image()).bytes.toString()) as Record<string, unknown>
        const lacking = size - JSON.stringify({ ...bare, annotations: { filling: '' } }).length
        return (await there.putManifest(content(JSON.stringify({ ...bare, annotations: { filling: 'x'.repeat(lacking) } })), 'large')).status
      }
      assert.equal(await filled(4 * 1024 * 1024), 201)
      assert.equal(await filled(4 * 1024 * 1024 + 1), 413)
    })

    it('a tag that is pushed again points to the newer manifest, and the older one stays pullable by digest', async () => {
      const there = repository()
      const first = await there.pushImage('v1')
      const second = await there.pushImage('v1')
      await isPullable(there, 'manifests/v1', second.bytes)
      await isPullable(there, `manifests/${first.digest}`, first.bytes)
    })
  })
}
