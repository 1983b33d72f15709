import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { UnixFS } from 'ipfs-unixfs'
import type { WantedFile } from '../../../src/ipfs/node.ts'
import { collect } from '../../contract/bytes.ts'
import { first, Nodes, type TestNode } from '../../ipfs-network/harness.ts'
import { until } from '../harness/until.ts'
import { node } from './forged-dags.ts'
import { assertNothingHeld, assertWhole, commit, wantedOf } from './network-checks.ts'
import { kuboSide, type KuboSide } from './network-scene.ts'

const MEBIBYTE = 1024 * 1024
const SLOW_TIMEOUT = 6_000

describe('clones into Kubo, slowly', { timeout: 300_000 }, () => {
  const nodes = new Nodes()
  let peer: TestNode
  let gate: Gate
  let side: KuboSide

  before(async () => {
    peer = await nodes.start()
    gate = new Gate(peer)
    side = await kuboSide({ peers: [peer.address], findTimeout: SLOW_TIMEOUT })
    await side.network.start()
  })

  after(async () => {
    gate.open()
    await side.close()
    await nodes.close()
  })

  const begin = (leaves = 64): { wanted: WantedFile; content: Buffer } => {
    const content = randomBytes(leaves * MEBIBYTE)
    const blocks = Array.from({ length: leaves }, (_, i) => content.subarray(i * MEBIBYTE, (i + 1) * MEBIBYTE))
    const cids = blocks.map((block) => peer.blocks.add(block))
    const root = node(new UnixFS({ type: 'file', blockSizes: blocks.map(() => BigInt(MEBIBYTE)) }), cids)
    return { wanted: wantedOf(peer.blocks.add(root.bytes, root.cid), content), content }
  }

  it('gives what has come to who waits, while the rest is still to come', async () => {
    const { wanted, content } = begin()
    gate.close(40)
    const session = side.network.open(wanted.cid)
    const file = session.fetch(wanted)
    let done = false
    file.done.then(() => { done = true }, () => {})
    const came: Uint8Array[] = []
    for await (const chunk of file.read({ start: 10 })) {
      came.push(chunk)
      if (came.reduce((sum, { length }) => sum + length, 0) >= 4 * MEBIBYTE) break
    }
    assert.equal(done, false)
    gate.open()
    assert.ok((await collect(file.read({}))).equals(content))
    await commit(side, wanted, file)
    await session.close()
    await assertNothingHeld(side)
  })

  it('loses nothing to a collection of garbage in the middle, nor to one before its commit', async () => {
    const { wanted } = begin()
    gate.close(40)
    const session = side.network.open(wanted.cid)
    const file = session.fetch(wanted)
    await gate.reached
    const collected = first(side.kubos).ipfs('repo', 'gc', '-q')
    await sleep(500)
    gate.open()
    await file.done
    await collected
    await first(side.kubos).ipfs('repo', 'gc', '-q')
    await assertWhole(side, wanted.cid)
    await commit(side, wanted, file)
    await session.close()
    await first(side.kubos).ipfs('repo', 'gc', '-q')
    await assertWhole(side, wanted.cid)
    await assertNothingHeld(side)
  })

  it('leaves nothing behind when it is called off', async () => {
    const { wanted } = begin()
    gate.close(40)
    const session = side.network.open(wanted.cid)
    const file = session.fetch(wanted)
    const [done, read] = [assert.rejects(file.done, /was closed/), assert.rejects(collect(file.read({})), /was closed/)]
    await gate.reached
    await session.close()
    await Promise.all([done, read])
    await assertNothingHeld(side)
    gate.open()
    await first(side.kubos).ipfs('repo', 'gc', '-q')
    assert.equal(await first(side.nodes.all).hasBlock(wanted.cid), false)
  })

  it('fails clearly when nothing comes any more', async () => {
    const { wanted } = begin()
    gate.close(40)
    const session = side.network.open(wanted.cid)
    const begun = Date.now()
    await assert.rejects(session.fetch(wanted).done, { name: 'ContentUnavailableError', message: /nothing came of .* for 6000 ms/ })
    assert.ok(Date.now() - begun < SLOW_TIMEOUT + 6_000)
    await session.close()
    await assertNothingHeld(side)
    gate.open()
  })

  it('fails clearly when the node dies in the middle, and works when it is back', async () => {
    const { wanted, content } = begin()
    gate.close(40)
    const session = side.network.open(wanted.cid)
    const done = assert.rejects(session.fetch(wanted).done, { name: 'ContentUnavailableError', message: /does not answer/ })
    await gate.reached
    await first(side.kubos).kill()
    await done
    await session.close()
    gate.open()
    await assert.rejects(side.network.info(), { name: 'ContentUnavailableError' })
    await first(side.kubos).up()
    const again = side.network.open(wanted.cid)
    // Who it knew it knows again soon.
    await until(async () => (await side.network.info()).peers > 0)
    const second = again.fetch(wanted)
    assert.ok((await collect(second.read({}))).equals(content))
    await commit(side, wanted, second)
    await again.close()
    await assertWhole(side, wanted.cid)
    await assertNothingHeld(side)
  })
})

/** Lets only so many blocks out. */
class Gate {
  #left = Infinity
  #opened = Promise.withResolvers<void>()
  #reached = Promise.withResolvers<void>()

  constructor({ blocks }: TestNode) {
    const get = blocks.get.bind(blocks)
    blocks.get = async (cid) => {
      if (this.#left-- <= 0) {
        this.#reached.resolve()
        await this.#opened.promise
      }
      return get(cid)
    }
  }

  /** Resolves when somebody waits. */
  get reached(): Promise<void> {
    return this.#reached.promise
  }

  close(after: number): void {
    this.open()
    this.#left = after
    this.#opened = Promise.withResolvers()
    this.#reached = Promise.withResolvers()
  }

  open(): void {
    this.#left = Infinity
    this.#opened.resolve()
  }
}
