import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { CID } from 'multiformats/cid'
import type { IpfsNetwork, Tree } from '../../src/ipfs/node.ts'
import { cidOf, DAG_PB, sha256 } from '../../src/ipfs/unixfs/block.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { collect, fill } from './bytes.ts'

/** A network under test, which is not started yet, and somebody else on it whom it knows. */
export interface NetworkUnderTest {
  readonly network: IpfsNetwork
  /** Milliseconds that the network looks for somebody who has a root. */
  readonly findTimeout: number
  /** Makes files available at the other node. */
  readonly other: {
    addTree(tree: Tree): Promise<CID>
    addFile(content: Uint8Array): Promise<CID>
  }
  close(): Promise<void>
}

const LIMITS = { bytes: 1024 * 1024, files: 100, depth: 10 }
const TREE: Tree = new Map([
  ['disco.json', fill(500, 1)],
  ['_manifests/tags/latest/current/link', fill(71, 2)],
  ['_layers/sha256/00/link', fill(71, 3)],
])

/** What the port `IpfsNetwork` promises, on any implementation. */
export function ipfsNetworkContract(name: string, create: () => Promise<NetworkUnderTest>): void {
  describe(`${name} is an IpfsNetwork`, () => {
    let test: NetworkUnderTest
    before(async () => {
      test = await create()
      await test.network.start()
    })
    after(() => test.close())

    it('tells under which id and addresses it is reached', async () => {
      const { peerId, addresses } = await test.network.info()
      assert.ok(peerId.length > 0)
      assert.ok(addresses.length > 0)
      for (const address of addresses) assert.ok(address.endsWith(`/p2p/${peerId}`))
    })

    it('fetches a tree that another node has', async () => {
      const root = await test.other.addTree(TREE)
      const session = test.network.open(root)
      const tree = await session.tree(LIMITS)
      assert.deepEqual([...tree.keys()].sort(), [...TREE.keys()].sort())
      for (const [path, content] of TREE) assert.deepEqual(Buffer.from(tree.get(path) ?? []), Buffer.from(content))
      await session.close()
    })

    it('fetches files of several blocks in parallel, streaming them', async () => {
      const contents = [fill(3 * 1024 * 1024 + 17, 4), fill(1024 * 1024, 5), fill(10, 6)]
      const session = test.network.open(await test.other.addTree(TREE))
      const fetches = await Promise.all(contents.map(async (content, n) => {
        const cid = await test.other.addFile(content)
        return session.fetch({ cid, digest: digestOf(content), size: content.length, path: `contract/fetched/${n}` })
      }))
      const streams = await Promise.all(fetches.map((file) => collect(file.read({}))))
      streams.forEach((bytes, n) => assert.deepEqual(bytes, Buffer.from(contents[n] ?? [])))
      for (const { done } of fetches) assert.notEqual((await done).upload, undefined)
      await session.close()
    })

    it('finds out in time that nobody has a root', async () => {
      const root = cidOf(DAG_PB, sha256(Buffer.from('nobody has this')))
      const session = test.network.open(root)
      const start = Date.now()
      await assert.rejects(session.tree(LIMITS), { name: 'ContentUnavailableError' })
      assert.ok(Date.now() - start < test.findTimeout + 2_000)
      await session.close()
    })

    it('stops when it is told to', async () => {
      const session = test.network.open(cidOf(DAG_PB, sha256(Buffer.from('nobody has this either'))))
      await assert.rejects(session.tree(LIMITS, { signal: AbortSignal.abort(new Error('enough')) }), /enough/)
      await session.close()
    })

    it('fetches nothing after its session was closed', async () => {
      const session = test.network.open(await test.other.addTree(new Map([['a', fill(10, 7)]])))
      await session.close()
      await assert.rejects(session.tree(LIMITS))
    })

    it('starts and stops as often as it is told to', async () => {
      const { peerId } = await test.network.info()
      await test.network.start()
      await test.network.stop()
      await test.network.stop()
      await test.network.start()
      assert.equal((await test.network.info()).peerId, peerId)
    })
  })
}
