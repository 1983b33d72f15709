import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CONFIG, IMAGE, INDEX, content, descriptor, randomContent, type Repository } from './client.ts'

export function pullSuite(repository: () => Repository): void {
  describe('§Pulling manifests', () => {
    it('<name> and <tag> MUST match their regular expressions: what does is taken', async () => {
      const there = repository()
      for (const name of ['a', 'a0', 'a.b', 'a_b', 'a__b', 'a-b', 'a---b', 'a/b/c/d/e', `${there.name}/x`]) {
        const { status } = await fetch(`${there.base}/v2/${name}/blobs/uploads/`, { method: 'POST' })
        assert.equal(status, 202, name)
      }
      const image = await there.image()
      for (const tag of ['1', '_', 'A.b-C_d', 'x'.repeat(128)]) assert.equal((await there.putManifest(image, tag)).status, 201, tag)
    })

    it('<name> and <tag> MUST match their regular expressions: what does not is refused', async () => {
      const there = repository()
      for (const name of ['A', '-a', 'a-', 'a..b', 'a___b', '_a', 'a/', 'a//b']) {
        const { status } = await fetch(`${there.base}/v2/${name}/blobs/uploads/`, { method: 'POST' })
        assert.ok(status === 400 || status === 404 || status === 405, `${name}: ${status}`)
      }
      const image = await there.image()
      for (const tag of ['.a', '-a', 'a+b', 'x'.repeat(129)]) {
        const { status } = await there.putManifest(image, encodeURIComponent(tag))
        assert.ok(status === 400 || status === 404, `${tag}: ${status}`)
      }
    })

    it('a GET request to an existing manifest URL MUST provide the expected manifest, with a response code that MUST be 200 OK', async () => {
      const there = repository()
      const image = await there.pushImage('v1')
      for (const reference of ['v1', image.digest]) {
        const { status, bytes } = await there.ask(`manifests/${reference}`)
        assert.equal(status, 200)
        assert.deepEqual(bytes, image.bytes)
      }
    })

    it('a successful response MUST contain the digest in the header Docker-Content-Digest', async () => {
      const there = repository()
      const image = await there.pushImage('v1')
      for (const reference of ['v1', image.digest]) {
        assert.equal((await there.ask(`manifests/${reference}`)).headers.get('docker-content-digest'), image.digest)
      }
    })

    it('the Content-Type header SHOULD match what the client pushed, and SHOULD NOT include parameters', async () => {
      const there = repository()
      const docker = 'application/vnd.docker.distribution.manifest.v2+json'
      const config = await there.pushBlob(content('{}'))
      const dockerImage = content(JSON.stringify({
        schemaVersion: 2, mediaType: docker, config: descriptor('application/vnd.docker.container.image.v1+json', config), layers: [],
      }))
      await there.putManifest(dockerImage, 'docker', docker)
      const image = await there.pushImage('oci')
      await there.pushIndex('index', [image])
      for (const [tag, type] of [['docker', docker], ['oci', IMAGE], ['index', INDEX]] as const) {
        assert.equal((await there.ask(`manifests/${tag}`, { headers: { Accept: '*/*' } })).headers.get('content-type'), type)
      }
    })

    it('if the manifest is not found in the repository, the response code MUST be 404 Not Found', async () => {
      const there = repository()
      await there.pushImage('v1')
      for (const reference of ['v2', randomContent().digest, randomContent(1, 'sha512').digest]) {
        for (const method of ['GET', 'HEAD']) assert.equal((await there.ask(`manifests/${reference}`, { method })).status, 404)
      }
    })

    it('an attempt to pull a nonexistent repository MUST return response code 404 Not Found', async () => {
      assert.equal((await repository().ask('manifests/v1')).status, 404)
      assert.equal((await repository().ask('tags/list')).status, 404)
      assert.equal((await repository().ask(`blobs/${randomContent().digest}`)).status, 404)
    })
  })

  describe('§Pulling blobs', () => {
    it('a GET request to an existing blob URL MUST provide the expected blob, with 200 OK and its digest in Docker-Content-Digest', async () => {
      const there = repository()
      for (const algorithm of ['sha256', 'sha512'] as const) {
        for (const size of [0, 1, 3_000_000]) {
          const blob = await there.pushBlob(randomContent(size, algorithm))
          const { status, headers, bytes } = await there.ask(`blobs/${blob.digest}`)
          assert.equal(status, 200)
          assert.ok(bytes.equals(blob.bytes))
          assert.equal(headers.get('docker-content-digest'), blob.digest)
        }
      }
    })

    it('if the blob is not found in the repository, the response code MUST be 404 Not Found, also where another has it', async () => {
      const [there, elsewhere] = [repository(), repository()]
      const blob = await elsewhere.pushBlob(randomContent())
      await there.pushImage('v1')
      for (const method of ['GET', 'HEAD']) assert.equal((await there.ask(`blobs/${blob.digest}`, { method })).status, 404)
    })

    it('a registry SHOULD support the Range request header in accordance with RFC 9110', async () => {
      const there = repository()
      const { bytes, digest } = await there.pushBlob(randomContent(1000))
      for (const [range, start, end] of [['bytes=0-9', 0, 9], ['bytes=990-', 990, 999], ['bytes=-10', 990, 999], ['bytes=500-5000', 500, 999]] as const) {
        const answer = await there.ask(`blobs/${digest}`, { headers: { Range: range } })
        assert.equal(answer.status, 206)
        assert.equal(answer.headers.get('content-range'), `bytes ${start}-${end}/1000`)
        assert.deepEqual(answer.bytes, bytes.subarray(start, end + 1))
      }
      const beyond = await there.ask(`blobs/${digest}`, { headers: { Range: 'bytes=1000-' } })
      assert.equal(beyond.status, 416)
      assert.equal(beyond.headers.get('content-range'), 'bytes */1000')
    })

    it('RFC 9110 §14.2: a server MUST ignore a Range header field received with a request method other than GET', async () => {
      const there = repository()
      const { digest } = await there.pushBlob(randomContent(1000))
      const { status, headers } = await there.ask(`blobs/${digest}`, { method: 'HEAD', headers: { Range: 'bytes=0-9' } })
      assert.equal(status, 200)
      assert.equal(headers.get('content-length'), '1000')
    })
  })

  describe('§Checking if content exists in the registry', () => {
    it('a HEAD request to an existing blob or manifest URL MUST return 200 OK, its digest and its size', async () => {
      const there = repository()
      const blob = await there.pushBlob(randomContent(1234))
      const image = await there.pushImage('v1')
      for (const [path, { bytes, digest }] of [[`blobs/${blob.digest}`, blob], ['manifests/v1', image], [`manifests/${image.digest}`, image]] as const) {
        const answer = await there.ask(path, { method: 'HEAD' })
        assert.equal(answer.status, 200)
        assert.equal(answer.headers.get('docker-content-digest'), digest)
        assert.equal(answer.headers.get('content-length'), String(bytes.length))
        assert.equal(answer.bytes.length, 0)
      }
    })

    it('if the blob or manifest is not found in the repository, the response code MUST be 404 Not Found', async () => {
      const there = repository()
      await there.pushImage('v1', { configType: CONFIG })
      assert.equal((await there.ask(`blobs/${randomContent().digest}`, { method: 'HEAD' })).status, 404)
      assert.equal((await there.ask('manifests/none', { method: 'HEAD' })).status, 404)
    })
  })

  describe('§Registry Proxying', () => {
    it('a registry MAY choose to ignore the ns query parameter: pulls work with it', async () => {
      const there = repository()
      const image = await there.pushImage('v1')
      assert.equal((await there.ask('manifests/v1?ns=registry.example')).status, 200)
      assert.equal((await there.ask(`manifests/${image.digest}?ns=registry.example`, { method: 'HEAD' })).status, 200)
      assert.equal((await there.ask('tags/list?ns=registry.example')).status, 200)
    })
  })

  describe('§Determining Support', () => {
    it('GET /v2/ answers 200 OK', async () => {
      assert.equal((await fetch(`${repository().base}/v2/`)).status, 200)
    })
  })
}
