import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { KuboNode } from '../../../src/ipfs/kubo/nodes/node.ts'
import { collect } from '../../contract/bytes.ts'
import { first } from '../../ipfs-network/harness.ts'
import { Kubo } from '../harness/kubo.ts'
import { until } from '../harness/until.ts'
import { assertNothingHeld, commit, each, wantedOf } from './network-checks.ts'
import { kuboSide } from './network-scene.ts'

const MEBIBYTE = 1024 * 1024

describe('clones into several Kubos', { timeout: 300_000 }, () => {
  it('brings each blob to the node of its path, also when only another reaches who has it', async () => {
    const other = await Kubo.start()
    const there = new KuboNode(other.url)
    const side = await kuboSide({ nodes: 3, findTimeout: 20_000 })
    try {
      await side.network.start()
      await first(side.kubos).connect(other)
      await until(async () => (await Promise.all(side.nodes.all.map(async (node) => (await node.connectedPeers()).size))).every((peers) => peers >= 2))
      const session = side.network.open(await there.add(each([randomBytes(10)])))
      const used = new Set<KuboNode>()
      for (let i = 0; i < 12 && used.size < 3; i++) {
        const content = randomBytes(3 * MEBIBYTE)
        const cid = await there.add(each([content]))
        const wanted = wantedOf(cid, content)
        const node = side.nodes.nodeOf(wanted.path)
        if (used.has(node)) continue
        used.add(node)
        const file = session.fetch(wanted)
        assert.ok((await collect(file.read({}))).equals(content))
        await commit(side, wanted, file)
        assert.equal(String((await node.stat(`/${wanted.path}`))?.cid), String(cid))
      }
      assert.equal(used.size, 3)
      await session.close()
      await assertNothingHeld(side)
    } finally {
      await side.close()
      there.close()
      await other.remove()
    }
  })

  it('connects them with each other, and again when one is back', async () => {
    const side = await kuboSide({ nodes: 2 })
    try {
      const peersOf = async (): Promise<number[]> => Promise.all(side.nodes.all.map(async (node) => (await node.connectedPeers()).size))
      await side.network.start()
      await until(async () => (await peersOf()).every((peers) => peers === 1))
      await side.kubos[1]?.kill()
      await side.kubos[1]?.up()
      await until(async () => (await peersOf()).every((peers) => peers === 1))
    } finally {
      await side.close()
    }
  })
})
