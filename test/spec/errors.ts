import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { IMAGE, codesOf, content, randomContent, type Ask, type Repository } from './client.ts'

/** The table of the section. */
const CODES: ReadonlySet<string> = new Set([
  'BLOB_UNKNOWN', 'BLOB_UPLOAD_INVALID', 'BLOB_UPLOAD_UNKNOWN', 'DIGEST_INVALID', 'MANIFEST_BLOB_UNKNOWN', 'MANIFEST_INVALID', 'MANIFEST_UNKNOWN',
  'NAME_INVALID', 'NAME_UNKNOWN', 'SIZE_INVALID', 'UNAUTHORIZED', 'DENIED', 'UNSUPPORTED', 'TOOMANYREQUESTS',
])

export function errorsSuite(repository: () => Repository): void {
  describe('§Error Codes', () => {
    it('a 4XX body in JSON MUST have the format, and its code MUST be one of the table', async () => {
      const there = repository()
      const image = await there.pushImage('v1')
      const upload = await there.begin()
      const digest = randomContent().digest
      const put = (body: string): Ask => ({ method: 'PUT', headers: { 'Content-Type': IMAGE }, body })
      const asked: readonly (readonly [path: string, ask?: Ask])[] = [
        ['/v2/UPPER/tags/list'],
        ['/v2/no/such/thing'],
        [`/v2/nobody/knows/manifests/v1`],
        ['manifests/none'],
        ['manifests/sha256:x'],
        [`manifests/${digest}`],
        [`blobs/${digest}`],
        ['blobs/x'],
        [`blobs/${image.digest.slice(0, -1)}`],
        ['tags/list?n=x'],
        ['tags/list?n=-1'],
        ['/v2/_catalog?n=x'],
        ['referrers/x'],
        ['manifests/.', put('{}')],
        ['manifests/%2B', put('{}')],
        ['manifests/v2', put('{')],
        ['manifests/v2', put('[]')],
        ['manifests/v2', put('x'.repeat(4 * 1024 * 1024 + 1))],
        [`manifests/${digest}`, put(image.bytes.toString())],
        [`manifests/${image.digest}?tag=%2B`, put(image.bytes.toString())],
        ['manifests/v1', { method: 'POST' }],
        ['blobs/uploads/00000000-0000-0000-0000-000000000000', { method: 'PATCH', body: 'x' }],
        ['blobs/uploads/x', { method: 'PUT' }],
        [upload, { method: 'PUT' }],
        [upload, { method: 'PATCH', headers: { 'Content-Range': '7-8' }, body: 'xx' }],
        [upload, { method: 'PATCH', headers: { 'Content-Range': '0-8' }, body: 'xx' }],
        [upload, { method: 'PATCH', headers: { 'Content-Range': 'x' }, body: 'xx' }],
        ['blobs/uploads/?digest=x', { method: 'POST', body: 'x' }],
        [`blobs/uploads/?digest=${digest}`, { method: 'POST', body: 'x' }],
        [`blobs/${(await there.pushBlob(content('abc'))).digest}`, { headers: { Range: 'bytes=9-' } }],
      ]
      for (const [path, ask] of asked) {
        const answer = await there.ask(path, ask)
        assert.ok(answer.status >= 400 && answer.status < 500, `${path}: ${answer.status}`)
        const { errors } = JSON.parse(answer.bytes.toString()) as { errors: { code: string; message: string }[] }
        assert.ok(errors.length > 0)
        for (const { code, message } of errors) {
          assert.ok(CODES.has(code), `${path} (${answer.status}): ${code}`)
          assert.ok(typeof message === 'string' && message !== '', `${path} tells no reason`)
        }
      }
    })

    it('code-1 to code-10 are given where they belong', async () => {
      const there = repository()
      await there.pushImage('v1')
      const digest = randomContent().digest
      for (const [code, path, ask] of [
        ['BLOB_UNKNOWN', `blobs/${digest}`, {}],
        ['BLOB_UPLOAD_UNKNOWN', 'blobs/uploads/00000000-0000-0000-0000-000000000000', {}],
        ['DIGEST_INVALID', `blobs/uploads/?digest=${digest}`, { method: 'POST', body: 'x' }],
        ['MANIFEST_INVALID', 'manifests/v2', { method: 'PUT', headers: { 'Content-Type': IMAGE }, body: 'x' }],
        ['MANIFEST_UNKNOWN', 'manifests/v2', {}],
        ['NAME_INVALID', '/v2/UPPER/tags/list', {}],
        ['NAME_UNKNOWN', '/v2/nobody/knows/tags/list', {}],
        ['SIZE_INVALID', await there.begin(), { method: 'PATCH', headers: { 'Content-Range': '0-8' }, body: 'xx' }],
        ['UNSUPPORTED', 'manifests/v1', { method: 'POST' }],
      ] as const) {
        assert.deepEqual(codesOf(await there.ask(path, ask)), [code], path)
      }
    })
  })

  describe('§Warnings', () => {
    it('Warning headers MUST specify a warn-code of 299 and a warn-agent of -, no warn-date, and at most 4096 bytes', async () => {
      const there = repository()
      // what a registry may have a remark on
      const answers = [await there.putManifest(await there.image(), 'latest'), await there.putManifest(await there.image(), 'v1')]
      for (const { headers } of answers) {
        const warning = headers.get('warning')
        if (warning === null) continue
        assert.match(warning, /^299 - "(?:[^"\\]|\\.)*"(?:, 299 - "(?:[^"\\]|\\.)*")*$/)
        assert.ok(warning.length <= 4096)
      }
    })
  })
}
