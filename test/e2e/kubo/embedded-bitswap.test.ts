import { decode, encode } from '@ipld/dag-pb'
import type { MultihashDigest } from 'multiformats'
import { CID } from 'multiformats/cid'
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { cidOf, DAG_PB, sha256 } from '../../../src/ipfs/unixfs/block.ts'
import { fill } from '../../contract/bytes.ts'
import { Nodes, SWARM_KEY, type TestNode } from '../../ipfs-network/harness.ts'
import { assertSameForIpfs } from '../harness/ipfs-view.ts'
import type { Kubo } from '../harness/kubo.ts'
import { pushImage } from '../harness/push-image.ts'
import { RegistryClient, hexOf } from '../harness/registry-client.ts'
import { Scene } from '../harness/scene.ts'
import { assertClonable } from '../harness/verify.ts'

describe('the embedded node and Kubo, by bitswap, behind a swarm key', { timeout: 300_000 }, () => {
  const nodes = new Nodes()
  let scene: Scene
  let kubo: Kubo
  let node: TestNode

  before(async () => {
    scene = await Scene.begin()
    kubo = await scene.kubo({ swarmKey: SWARM_KEY })
    node = await nodes.start({ swarmKey: SWARM_KEY, peers: kubo.addresses })
  })

  after(async () => {
    await nodes.close()
    await scene.end()
  })

  for (const size of [1024 * 1024, 2 * 1024 * 1024 - 256]) {
    it(`fetches blocks of ${size} bytes from it`, async () => {
      const content = fill(8 * size - 1, size)
      const file = join(scene.directory, 'content')
      await writeFile(file, content)
      const root = CID.parse(await kubo.ipfs('add', '-Q', '--cid-version=1', '--raw-leaves', `--chunker=size-${size}`, file))
      const source = node.network.source(root)
      const { Links } = decode(await source.fetch(root))
      const blocks = await Promise.all(Links.map(({ Hash }) => source.fetch(CID.decode(Hash.bytes))))
      assert.ok(Buffer.concat(blocks).equals(content))
      await source.close()
    })
  }

  it('serves blocks to it', async () => {
    for (const size of [10, 1024 * 1024, 2 * 1024 * 1024]) {
      const content = fill(size, size)
      const cid = node.blocks.add(content)
      assert.ok((await kubo.ipfsBytes('block', 'get', cid.toString())).equals(content))
    }
  })

  it('serves a block to it again', async () => {
    const content = fill(1000, 7)
    const cid = node.blocks.add(content)
    for (let i = 0; i < 3; i++) {
      assert.ok((await kubo.ipfsBytes('block', 'get', cid.toString())).equals(content))
      await kubo.ipfs('block', 'rm', cid.toString())
    }
  })

  it('gives it blocks under CIDv0, and takes them from it', async () => {
    const mine = encode({ Data: fill(100, 8), Links: [] })
    const cid = node.blocks.add(mine, CID.createV0(cidOf(DAG_PB, sha256(mine)).multihash as MultihashDigest<0x12>))
    assert.ok((await kubo.ipfsBytes('block', 'get', cid.toString())).equals(mine))
    const file = join(scene.directory, 'content')
    await writeFile(file, fill(1_000_000, 9))
    const root = CID.parse(await kubo.ipfs('add', '-Q', '--cid-version=0', file))
    assert.equal(root.version, 0)
    const source = node.network.source(root)
    const { Links } = decode(await source.fetch(root))
    assert.ok(Links.length > 1)
    await Promise.all(Links.map(({ Hash }) => source.fetch(CID.decode(Hash.bytes))))
    await source.close()
  })

  it('learns from it that it has not got a block', async () => {
    const cid = node.blocks.add(fill(10, 99))
    const start = Date.now()
    await assert.rejects(node.network.source(cid).fetch(cid), { name: 'ContentUnavailableError' })
    assert.ok(Date.now() - start < 1_500)
  })

  it('hands an image over, sees it as `ipfs ls`, `get` and `add` do, and gets it back', async () => {
    const key = ['--swarm-key', join(kubo.repository, 'swarm.key')]
    const first = await scene.disco('first', { peers: kubo.addresses, args: key })
    const { cid, digest, blobs } = await pushImage(new RegistryClient(first.url), 'image', { seed: 'bitswap', sizes: [3 * 1024 * 1024 + 1, 100] })

    const listed = await assertSameForIpfs(kubo, cid, digest, join(scene.directory, 'got'))
    assert.deepEqual(listed.slice(1).map((blob) => blob.digest), blobs.map(hexOf))
    await Promise.all([cid, ...listed.map((blob) => blob.cid)].map((root) => kubo.ipfs('pin', 'add', root)))
    await first.stop()

    const second = await scene.disco('second', { peers: kubo.addresses, args: key })
    await assertClonable(new RegistryClient(second.url), digest, cid)
  })
})
