import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createDisco } from '../../src/disco.ts'
import { basic, entry, scratch } from './harness.ts'

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const INDEX = 'application/vnd.oci.image.index.v1+json'
const ROOT = basic('root', 'r')
const ALICE = basic('alice', 'a')
const CAROL = basic('carol', 'c')
const [CONFIG, LAYER] = [Buffer.from('{"secret":1}'), Buffer.from('a secret layer')]

type Ask = (login: string, method: string, path: string, body?: Uint8Array<ArrayBuffer> | string, type?: string) => Promise<Response>

function digestOf(bytes: string | Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

function descriptor(bytes: string | Uint8Array, mediaType: string): object {
  return { mediaType, digest: digestOf(bytes), size: Buffer.byteLength(bytes) }
}

const IMAGE = JSON.stringify({
  schemaVersion: 2, mediaType: MANIFEST, config: descriptor(CONFIG, 'application/vnd.oci.image.config.v1+json'), layers: [descriptor(LAYER, 'application/vnd.oci.image.layer.v1.tar')],
})

/** A Disco where root may do everything, alice has `team/**`, and carol that and every image whose digest she knows, with an image of root's that she knows all names of. */
async function startWithSecret(t: TestContext): Promise<{ ask: Ask; cid: string }> {
  const data = await scratch(t)
  const authHtpasswdPath = join(data, 'htpasswd')
  await writeFile(authHtpasswdPath, entry('root', 'r') + entry('alice', 'a') + entry('carol', 'c'))
  const access = [
    { repository: ['**'], users: ['root'], actions: ['*'] },
    { repository: ['team/**'], users: ['alice', 'carol'], actions: ['*'] },
    { repository: ['<digest>', '<cid>'], users: ['carol'], actions: ['pull'] },
  ]
  const disco = await createDisco({ data, authHtpasswdPath, access, host: '127.0.0.1', port: 0, network: 'private', listen: ['/ip4/127.0.0.1/tcp/0'], cloneTimeout: 2000, deleteEnabled: true })
  t.after(() => disco.stop())
  const url = await disco.start()
  const ask: Ask = (authorization, method, path, body, type = 'application/octet-stream') =>
    fetch(url + path, { method, headers: { authorization, 'content-type': type }, ...(body === undefined ? {} : { body }) })
  for (const blob of [CONFIG, LAYER]) assert.equal((await ask(ROOT, 'POST', `/v2/private/x/blobs/uploads/?digest=${digestOf(blob)}`, blob)).status, 201)
  assert.equal((await ask(ROOT, 'PUT', '/v2/private/x/manifests/v1', IMAGE, MANIFEST)).status, 201)
  assert.equal((await ask(ROOT, 'PUT', '/v2/private/x/manifests/latest', IMAGE, MANIFEST)).status, 201)
  const { tags } = (await (await ask(ROOT, 'GET', `/v2/${digestOf(IMAGE).slice(7)}/tags/list`)).json()) as { tags: string[] }
  return { ask, cid: tags.find((tag) => tag.startsWith('bafy')) ?? assert.fail('no CID') }
}

describe('an image that not everybody may pull', { timeout: 60_000 }, () => {
  it('is denied by every name that it has', async (t) => {
    const { ask, cid } = await startWithSecret(t)
    for (const name of ['private/x', cid, digestOf(IMAGE).slice(7)]) {
      const paths = ['manifests/latest', `manifests/${digestOf(IMAGE)}`, 'tags/list', `blobs/${digestOf(LAYER)}`, `referrers/${digestOf(IMAGE)}`]
      for (const path of paths) assert.equal((await ask(ALICE, 'GET', `/v2/${name}/${path}`)).status, 403, `${name}/${path}`)
      for (const path of ['manifests/latest', `blobs/${digestOf(LAYER)}`]) assert.equal((await ask(ALICE, 'DELETE', `/v2/${name}/${path}`)).status, 403, path)
    }
    for (const query of ['?format=raw', '?format=car', '/blobs?format=car']) assert.equal((await ask(ALICE, 'GET', `/ipfs/${cid}${query}`)).status, 403)
    assert.equal((await ask(ALICE, 'GET', '/v2/_catalog')).status, 403)
    assert.equal((await ask(ROOT, 'GET', `/ipfs/${cid}?format=car`)).status, 200)
  })

  it('is not to be had through a repository that one may write to', async (t) => {
    const { ask, cid } = await startWithSecret(t)
    const own = Buffer.from('own')
    const isHidden = async (when: string): Promise<void> => {
      for (const path of [`manifests/${digestOf(IMAGE)}`, `blobs/${digestOf(LAYER)}`, `blobs/${digestOf(CONFIG)}`, `blobs/${digestOf(IMAGE)}`]) {
        for (const method of ['GET', 'HEAD']) assert.equal((await ask(ALICE, method, `/v2/team/a/${path}`)).status, 404, `${when}: ${path}`)
      }
    }
    await isHidden('at first')
    for (const from of ['', '&from=private/x', '&from=private%2Fx', `&from=${cid}`, `&from=${digestOf(IMAGE).slice(7)}`, '&from=team/a&from=private/x', '&from=team/../private/x']) {
      assert.equal((await ask(ALICE, 'POST', `/v2/team/a/blobs/uploads/?mount=${digestOf(LAYER)}${from}`)).status, 202, from)
    }
    await isHidden('after mounts')
    assert.equal((await ask(ALICE, 'POST', `/v2/team/a/blobs/uploads/?digest=${digestOf(own)}`, own)).status, 201)
    const ownConfig = descriptor(own, 'application/vnd.oci.empty.v1+json')
    const thieves: readonly (readonly [what: string, text: string, type: string, tag: string, status: number])[] = [
      ['its layer', JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config: ownConfig, layers: [descriptor(LAYER, 'application/vnd.oci.image.layer.v1.tar')] }), MANIFEST, 'latest', 404],
      ['itself', IMAGE, MANIFEST, 'latest', 404],
      ['an index', JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [descriptor(IMAGE, MANIFEST)] }), INDEX, 'latest', 404],
      ['a referrer', JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config: ownConfig, layers: [], subject: descriptor(IMAGE, MANIFEST) }), MANIFEST, 'sig', 201],
      ['a global referrer', JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config: ownConfig, layers: [ownConfig], subject: descriptor(IMAGE, MANIFEST) }), MANIFEST, 'latest', 201],
    ]
    for (const [what, text, type, tag, status] of thieves) {
      const answer = await ask(ALICE, 'PUT', `/v2/team/a/manifests/${tag}`, text, type)
      assert.ok(answer.status === status || (status === 404 && answer.status === 400), `${what}: ${answer.status} ${await answer.text()}`)
      await isHidden(what)
    }
    const sent = await ask(ALICE, 'GET', `/v2/team/a/referrers/${digestOf(IMAGE)}`)
    assert.equal(sent.status, 200)
    assert.equal((await ask(ROOT, 'GET', `/v2/private/x/manifests/v1`)).status, 200)
  })

  it('does not give its layers to who may pull it by its digest and knows only theirs', async (t) => {
    const { ask } = await startWithSecret(t)
    const mount = (query: string): Promise<Response> => ask(CAROL, 'POST', `/v2/team/y/blobs/uploads/?mount=${digestOf(LAYER)}${query}`)
    assert.equal((await mount('')).status, 202)
    assert.equal((await ask(CAROL, 'HEAD', `/v2/team/y/blobs/${digestOf(LAYER)}`)).status, 404)
    assert.equal((await mount(`&from=${digestOf(IMAGE).slice(7)}`)).status, 201)
  })

  it('takes no uploads from another repository', async (t) => {
    const { ask } = await startWithSecret(t)
    const opened = await ask(ROOT, 'POST', '/v2/private/x/blobs/uploads/')
    const id = opened.headers.get('location')?.split('?')[0]?.split('/').at(-1)
    for (const method of ['GET', 'DELETE', 'PATCH']) {
      assert.equal((await ask(ALICE, method, `/v2/team/a/blobs/uploads/${id}`)).status, 404, method)
      assert.equal((await ask(ALICE, method, `/v2/private/x/blobs/uploads/${id}`)).status, 403, method)
    }
    assert.equal((await ask(ROOT, 'GET', `/v2/private/x/blobs/uploads/${id}`)).status, 204)
  })
})
