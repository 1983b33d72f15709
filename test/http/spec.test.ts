import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { ApiPolicy } from '../../src/http/dispatch.ts'
import { warningHeader } from '../../src/http/warning.ts'
import type { Registry } from '../../src/registry/registry.ts'
import { bytesOf, digestText, imageManifest, pushBlob, pushImage } from '../registry/sample.ts'
import { errorCodes, startFace, type Face } from './harness.ts'

const ABSENT = digestText(bytesOf('absent'))
const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json'

function startWith(t: TestContext, policy: ApiPolicy): Promise<Face> {
  return startFace(t, () => ({ policy }))
}

describe('referrers', () => {
  it('are an image index, page by page, filtered where that is asked for', async (t) => {
    const { base, registry } = await startFace(t)
    await pushBlob(registry, 'a/b', bytesOf('{}'))
    const digests: string[] = []
    for (const seed of ['1', '2', '3']) {
      const bytes = imageManifest(bytesOf('{}'), [], { seed, subject: { mediaType: 'application/x', digest: ABSENT, size: 1 } })
      const response = await fetch(`${base}/v2/a/b/manifests/v${seed}`, { method: 'PUT', body: bytes })
      assert.deepEqual([response.status, response.headers.get('oci-subject')], [201, ABSENT])
      digests.push(digestText(bytes))
    }
    const found: string[] = []
    let path: string | undefined = `/v2/a/b/referrers/${ABSENT}?n=2&artifactType=${encodeURIComponent(CONFIG_TYPE)}`
    for (const count of [2, 1]) {
      const response: Response = await fetch(base + path)
      assert.equal(response.status, 200)
      assert.equal(response.headers.get('content-type'), 'application/vnd.oci.image.index.v1+json')
      assert.equal(response.headers.get('oci-filters-applied'), 'artifactType')
      const index = await response.json() as { schemaVersion: number; mediaType: string; manifests: { digest: string; artifactType: string }[] }
      assert.deepEqual([index.schemaVersion, index.mediaType], [2, 'application/vnd.oci.image.index.v1+json'])
      assert.equal(index.manifests.length, count)
      found.push(...index.manifests.map(({ digest }) => digest))
      path = /^<(.*)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1]
    }
    assert.equal(path, undefined)
    assert.deepEqual(found, digests.toSorted())
    const other = await fetch(`${base}/v2/a/b/referrers/${ABSENT}?artifactType=application/other`)
    assert.deepEqual(((await other.json()) as { manifests: unknown[] }).manifests, [])
    const head = await fetch(`${base}/v2/a/b/referrers/${ABSENT}`, { method: 'HEAD' })
    assert.deepEqual([head.status, head.headers.get('oci-filters-applied')], [200, null])
  })

  it('of an unknown name are an empty list, and never 404', async (t) => {
    const { base } = await startFace(t)
    const response = await fetch(`${base}/v2/no/referrers/where/referrers/${ABSENT}`)
    assert.equal(response.status, 200)
    assert.deepEqual(((await response.json()) as { manifests: unknown[] }).manifests, [])
    assert.equal((await fetch(`${base}/v2/a/referrers/latest`)).status, 400)
    assert.equal((await fetch(`${base}/v2/a/referrers/${ABSENT}?n=x`)).status, 400)
    const write = await fetch(`${base}/v2/a/referrers/${ABSENT}`, { method: 'PUT', body: 'x' })
    assert.deepEqual([write.status, write.headers.get('allow')], [405, 'GET, HEAD'])
  })
})

describe('what can be deleted', () => {
  it('is nothing unless that is switched on', async (t) => {
    const { base, registry } = await startFace(t)
    const bytes = await pushImage(registry, 'a', 'v1')
    for (const [path, allow] of [
      ['manifests/v1', 'GET, HEAD, PUT'], [`manifests/${digestText(bytes)}`, 'GET, HEAD, PUT'], [`blobs/${digestText(bytesOf('layer of a'))}`, 'GET, HEAD'],
    ] as const) {
      const response = await fetch(`${base}/v2/a/${path}`, { method: 'DELETE' })
      assert.deepEqual([response.status, response.headers.get('allow'), await errorCodes(response)], [405, allow, ['UNSUPPORTED']])
    }
    await registry.manifest('a', 'v1')
  })

  it('is a tag, a manifest and a blob', async (t) => {
    const { base, registry } = await startWith(t, { deletes: true })
    const bytes = await pushImage(registry, 'a', 'v1')
    await pushImage(registry, 'a', 'v2')
    for (const path of ['manifests/v1', `manifests/${digestText(bytes)}`, `blobs/${digestText(bytesOf('layer of a'))}`]) {
      const remove = (): Promise<Response> => fetch(`${base}/v2/a/${path}`, { method: 'DELETE' })
      assert.equal((await remove()).status, 202, path)
      assert.equal((await fetch(`${base}/v2/a/${path}`)).status, 404, path)
      assert.equal((await remove()).status, 404, path)
    }
    assert.equal((await fetch(`${base}/v2/a/manifests/v2`)).status, 404)
    assert.equal((await fetch(`${base}/v2/none/manifests/v1`, { method: 'DELETE' })).status, 404)
    const post = await fetch(`${base}/v2/a/manifests/v2`, { method: 'POST', body: 'x' })
    assert.equal(post.headers.get('allow'), 'GET, HEAD, PUT, DELETE')
  })

  it('and written is nothing in a registry that is read only', async (t) => {
    const { base, registry } = await startWith(t, { deletes: true, readonly: true })
    await pushImage(registry, 'a', 'v1')
    const { id } = await registry.startUpload('a')
    for (const [method, path, allow] of [
      ['PUT', 'manifests/v1', 'GET, HEAD'], ['DELETE', 'manifests/v1', 'GET, HEAD'], ['POST', 'blobs/uploads/', ''],
      ['PATCH', `blobs/uploads/${id}`, 'GET, HEAD'], ['PUT', `blobs/uploads/${id}?digest=${ABSENT}`, 'GET, HEAD'], ['DELETE', `blobs/uploads/${id}`, 'GET, HEAD'],
    ] as const) {
      const response = await fetch(`${base}/v2/a/${path}`, { method, body: 'x' })
      assert.deepEqual([response.status, response.headers.get('allow'), await errorCodes(response)], [405, allow, ['UNSUPPORTED']], `${method} ${path}`)
    }
    assert.equal((await fetch(`${base}/v2/a/manifests/v1`)).status, 200)
  })
})

describe('a manifest pushed by digest', () => {
  it('gets the tags of the query and tells them', async (t) => {
    const { base, registry } = await startFace(t)
    const bytes = await pushImage(registry, 'a', 'first')
    const put = (tags: readonly string[]): Promise<Response> =>
      fetch(`${base}/v2/a/manifests/${digestText(bytes)}?${tags.map((tag) => `tag=${tag}`).join('&')}`, { method: 'PUT', body: bytes })
    const response = await put(['v1', 'v1.2', 'latest'])
    assert.deepEqual([response.status, response.headers.get('oci-tag')], [201, 'v1, v1.2, latest'])
    assert.deepEqual((await registry.tags('a')).entries, ['first', 'latest', 'v1', 'v1.2'])
    const many = Array.from({ length: 100 }, (_, index) => `${'t'.repeat(110)}${index}`)
    assert.equal((await put(many)).status, 201)
    assert.equal((await put([...many, 'one-more'])).status, 414)
    assert.equal((await put(['-x'])).status, 400)
  })

  it('may come with a warning', async (t) => {
    const { base, registry } = await startFace(t, (core) => ({
      registry: {
        putManifest: async (name, put) => ({ ...await core.putManifest(name, put), warning: 'a "quoted" \\ text' }),
      } as Partial<Registry> as Registry,
    }))
    const bytes = await pushImage(registry, 'a', 'first')
    const response = await fetch(`${base}/v2/a/manifests/v1`, { method: 'PUT', body: bytes })
    assert.equal(response.headers.get('warning'), '299 - "a \\"quoted\\" \\\\ text"')
    assert.equal(warningHeader('é\r\nX: y'), '299 - "???X: y"')
    assert.ok(warningHeader('"'.repeat(9000)).length <= 4096)
  })
})

describe('a mount', () => {
  it('looks only where the client may pull', async (t) => {
    const { base, registry } = await startFace(t, () => ({
      authorizer: { authorize: async () => ({ user: 'me', mayPull: (repository: string) => repository !== 'private' }) },
    }))
    const digest = await pushBlob(registry, 'private', bytesOf('shared'))
    const mount = async (from = ''): Promise<number> => (await fetch(`${base}/v2/to/blobs/uploads/?mount=${digest}${from}`, { method: 'POST' })).status
    assert.deepEqual([await mount('&from=private'), await mount()], [202, 202])
    await pushBlob(registry, 'public', bytesOf('shared'))
    assert.deepEqual([await mount('&from=private'), await mount(), await mount('&from=public')], [202, 201, 201])
  })
})
