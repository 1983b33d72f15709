import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CID } from 'multiformats/cid'
import { encodeCar } from '../../../src/ipfs/car.ts'
import { KuboNode } from '../../../src/ipfs/kubo/nodes/node.ts'
import { layoutTree } from '../../../src/ipfs/unixfs/tree-layout.ts'
import type { DiscoServer } from '../harness/disco.ts'
import type { Kubo } from '../harness/kubo.ts'
import { pushImage, type PushedImage } from '../harness/push-image.ts'
import { OCI_MANIFEST, RegistryClient } from '../harness/registry-client.ts'
import { Scene } from '../harness/scene.ts'
import { until } from '../harness/until.ts'
import { assertClonable } from '../harness/verify.ts'
import { each, EMPTY_DIRECTORY } from './network-checks.ts'

const TIMEOUT = 4_000
const NOBODY_HAS = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'

describe('a Disco over Kubo, asked for what others have', { timeout: 300_000 }, () => {
  let scene: Scene
  let theirs: Kubo
  let there: KuboNode
  let ours: Kubo
  let giver: DiscoServer
  let taker: DiscoServer
  let image: PushedImage

  before(async () => {
    scene = await Scene.begin()
    theirs = await scene.kubo()
    there = new KuboNode(theirs.url)
    ours = await scene.kubo()
    giver = await scene.disco('giver', { kubos: [theirs] })
    taker = await scene.disco('taker', { kubos: [ours], peers: [theirs.addresses[0] ?? ''], args: ['--clone-timeout', `${TIMEOUT}ms`] })
    image = await pushImage(new RegistryClient(giver.url), 'image', { seed: 'clone', sizes: [3_000_000, 1000] })
  })

  after(async () => {
    there.close()
    await scene.end()
  })

  const ask = (cid: string): Promise<Response> => fetch(`${taker.url}/v2/${cid}/manifests/latest`, { headers: { Accept: OCI_MANIFEST } })

  /** Nothing of it is told, and nothing is kept from the collection of garbage. */
  async function assertNothingOf(cid: string): Promise<void> {
    const files = await ours.ipfs('files', 'ls', '/docker/registry/v2/repositories').catch(() => '')
    assert.ok(!files.includes(cid), files)
    assert.equal(await ours.ipfs('pin', 'ls', '--type=recursive', '-q'), EMPTY_DIRECTORY)
    const node = new KuboNode(ours.url)
    try {
      for (const { name } of await node.list('/disco/staged') ?? []) assert.deepEqual(await node.list(`/disco/staged/${name}`), [])
    } finally {
      node.close()
    }
  }

  it('says in time that nobody has it', async () => {
    const begun = Date.now()
    const answer = await ask(NOBODY_HAS)
    assert.equal(answer.status, 404, await answer.text())
    assert.ok(Date.now() - begun < TIMEOUT + 3_000)
    await assertNothingOf(NOBODY_HAS)
  })

  /** The image with another `disco.json`. */
  async function forged(change: (text: string, blobs: readonly { digest: string; cid: string }[]) => string): Promise<string> {
    const tree = new Map<string, Uint8Array>()
    for (const path of await pathsOf(theirs, image.cid)) tree.set(path, await theirs.ipfsBytes('cat', `${image.cid}/${path}`))
    const text = Buffer.from(tree.get('disco.json') ?? []).toString()
    const { blobs } = JSON.parse(text) as { blobs: { digest: string; cid: string }[] }
    tree.set('disco.json', Buffer.from(change(text, blobs)))
    const { root, blocks } = layoutTree(tree)
    await there.importCar(encodeCar(root, each(blocks)))
    return root.toString()
  }

  it('refuses a layer that is not what its digest says, with nothing of the image left', async () => {
    const other = await there.add(each([Buffer.alloc(3_000_000, 1)]))
    const cid = await forged((text, blobs) => text.replace(blobs[2]?.cid ?? '', other.toString()))
    const answer = await ask(cid)
    await answer.arrayBuffer()
    // Its manifest is right, so whoever waits for the layer learns of it.
    assert.ok([200, 502].includes(answer.status), `${answer.status}`)
    const layer = async (): Promise<number> => {
      const got = await fetch(`${taker.url}/v2/${cid}/blobs/${image.blobs[1] ?? ''}`)
      return got.status === 200 ? (await got.arrayBuffer()).byteLength : 0
    }
    assert.equal(await layer().catch(() => 'cut off'), 'cut off')
    await until(() => assertNothingOf(cid).then(() => true))
  })

  it('refuses a manifest that is not what its digest says', async () => {
    const other = await there.add(each([Buffer.from('{}')]))
    const cid = await forged((text, blobs) => text.replace(blobs[0]?.cid ?? '', other.toString()))
    const answer = await ask(cid)
    assert.ok(answer.status >= 500, `${answer.status}`)
    assert.match(await answer.text(), /MANIFEST_UNVERIFIED|does not verify/)
    await assertNothingOf(cid)
  })

  it('ends the search when its client has gone', async () => {
    const abort = new AbortController()
    const asked = fetch(`${taker.url}/v2/${NOBODY_HAS}/manifests/latest`, { signal: abort.signal })
    setTimeout(() => abort.abort(), 500)
    await assert.rejects(asked)
    await until(async () => (await ours.ipfs('bitswap', 'wantlist')) === '', { timeout: 3_000 })
    await assertNothingOf(NOBODY_HAS)
  })

  it('says that its node is down, and clones when it is back', async () => {
    await ours.kill()
    const answer = await ask(image.cid)
    assert.equal(answer.status, 503, await answer.text())
    await ours.up()
    await until(async () => (await ours.ipfs('swarm', 'peers')) !== '')
    await assertClonable(new RegistryClient(taker.url), image.digest, image.cid)
    await ours.ipfs('repo', 'gc', '--quiet')
    await theirs.down()
    assert.equal((await ours.ipfs('dag', 'stat', '--progress=false', image.cid)).includes('Size'), true)
    await assertClonable(new RegistryClient(taker.url), image.digest, image.cid)
  })
})

async function pathsOf(kubo: Kubo, cid: string, below = ''): Promise<string[]> {
  const node = new KuboNode(kubo.url)
  try {
    const { Objects } = await node.rpc.json<{ Objects: { Links: { Name: string; Type: number }[] }[] }>('ls', { arg: `${CID.parse(cid)}/${below}` })
    const paths: string[] = []
    for (const { Name, Type } of Objects[0]?.Links ?? []) {
      const path = below === '' ? Name : `${below}/${Name}`
      if (Type === 1) paths.push(...await pathsOf(kubo, cid, path))
      else paths.push(path)
    }
    return paths
  } finally {
    node.close()
  }
}
