import { encode, prepare, type PBLink } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, it } from 'node:test'
import type { CID } from 'multiformats/cid'
import { encodeCar } from '../../../src/ipfs/car.ts'
import { VerificationError } from '../../../src/ipfs/errors.ts'
import { KuboNode } from '../../../src/ipfs/kubo/nodes/node.ts'
import type { FileFetch, WantedFile } from '../../../src/ipfs/node.ts'
import { cidOf, DAG_PB, RAW, sha256, type Block } from '../../../src/ipfs/unixfs/block.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { collect } from '../../contract/bytes.ts'
import { first, Nodes, type TestNode } from '../../ipfs-network/harness.ts'
import { Kubo } from '../harness/kubo.ts'
import { blobPath, kuboSide, type KuboSide } from './network-scene.ts'

const MEBIBYTE = 1024 * 1024
const FIND_TIMEOUT = 3_000
const SLOW_TIMEOUT = 6_000
/** Pinned from the beginning. */
const EMPTY_DIRECTORY = 'QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn'

describe('clones into Kubo', { timeout: 300_000 }, () => {
  let other: Kubo
  let there: KuboNode
  let side: KuboSide

  before(async () => {
    other = await Kubo.start({ config: { 'Addresses.Gateway': '/ip4/127.0.0.1/tcp/0' } })
    there = new KuboNode(other.url)
    side = await kuboSide({ peers: [first(other.addresses)], findTimeout: FIND_TIMEOUT })
    await side.network.start()
  })

  after(async () => {
    await side.close()
    there.close()
    await other.remove()
  })

  it('takes a file in the layout that it has', async () => {
    for (const options of [['--cid-version=0'], ['--cid-version=0', '--trickle'], ['--cid-version=1', '--chunker=size-262144'], ['--cid-version=0', '--chunker=size-2000000']]) {
      const content = randomBytes(3 * MEBIBYTE + 5)
      const cid = await addBy(other, content, options)
      const session = side.network.open(cid)
      const wanted = wantedOf(cid, content)
      const file = session.fetch(wanted)
      assert.ok((await collect(file.read({}))).equals(content))
      assert.ok((await collect(file.read({ start: MEBIBYTE - 3, length: 2 * MEBIBYTE }))).equals(content.subarray(MEBIBYTE - 3, 3 * MEBIBYTE - 3)))
      await commit(side, wanted, file)
      await session.close()
      assert.equal(String((await side.nodes.stat(wanted.path))?.found.cid), String(cid))
      await assertWhole(side, cid)
    }
    await assertNothingHeld(side)
  })

  it('leaves what is here already, and holds another layout of it beside', async () => {
    const content = randomBytes(MEBIBYTE)
    const cids = [await addBy(other, content, ['--cid-version=1', '--chunker=size-1048576']), await addBy(other, content, ['--cid-version=0'])]
    for (const [index, cid] of cids.entries()) {
      const session = side.network.open(cid)
      const wanted = wantedOf(cid, content)
      const file = session.fetch(wanted)
      const { upload } = await file.done
      assert.equal(upload === undefined, index > 0)
      await session.keep()
      await commit(side, wanted, file)
      await session.close()
    }
    await assertNothingHeld(side)
    await side.kubos[0]?.ipfs('repo', 'gc', '-q')
    for (const cid of cids) await assertWhole(side, cid)
  })

  describe('from somebody who lies', () => {
    const lies: Record<string, { make(): Promise<CID>; wanted(cid: CID): WantedFile; error?: typeof VerificationError.prototype.name | 'ContentUnavailableError' }> = {
      'about the digest': {
        make: () => addBy(other, randomBytes(2 * MEBIBYTE), ['--cid-version=1']),
        wanted: (cid) => wantedOf(cid, randomBytes(2 * MEBIBYTE)),
      },
      'about the size': {
        make: () => addBy(other, randomBytes(2 * MEBIBYTE), ['--cid-version=1']),
        wanted: (cid) => wantedOf(cid, randomBytes(2 * MEBIBYTE - 1)),
      },
      'about the size, in its root': {
        make: () => importDag(there, [leaf(100), file([[leaf(100), 99]])]),
        wanted: (cid) => ({ ...wantedOf(cid, randomBytes(99)) }),
      },
      'with a directory': {
        make: () => importDag(there, [leaf(100), directory({ a: leaf(100) })]),
        wanted: (cid) => wantedOf(cid, randomBytes(100)),
      },
      'with leaves that are all padding': {
        make: () => importDag(there, padded(8)),
        wanted: (cid) => wantedOf(cid, Buffer.alloc(8, 'x')),
      },
      'with a DAG that has no end': {
        make: () => importDag(there, endless(60)),
        wanted: (cid) => wantedOf(cid, randomBytes(8)),
        error: 'ContentUnavailableError',
      },
    }
    for (const [name, { make, wanted, error = 'VerificationError' }] of Object.entries(lies)) {
      it(name, async () => {
        const cid = await make()
        const session = side.network.open(cid)
        const file = session.fetch(wanted(cid))
        await Promise.all([assert.rejects(file.done, { name: error }), assert.rejects(collect(file.read({})), { name: error })])
        await session.close()
        await assertNothingHeld(side)
      })
    }
  })

  it('asks gateways', async () => {
    const gatewaySide = await kuboSide({ peers: [other.gateway ?? ''], findTimeout: FIND_TIMEOUT })
    try {
      await gatewaySide.network.start()
      for (const options of [['--cid-version=1', '--chunker=size-1048576'], ['--cid-version=0']]) {
        const content = randomBytes(5 * MEBIBYTE + 7)
        const cid = await addBy(other, content, options)
        const session = gatewaySide.network.open(cid)
        const wanted = wantedOf(cid, content)
        const fetched = session.fetch(wanted)
        assert.ok((await collect(fetched.read({}))).equals(content))
        await commit(gatewaySide, wanted, fetched)
        await session.close()
        await assertWhole(gatewaySide, cid)
      }
      const wrong = wantedOf(await addBy(other, randomBytes(3 * MEBIBYTE), ['--cid-version=1']), randomBytes(3 * MEBIBYTE))
      const session = gatewaySide.network.open(wrong.cid)
      await assert.rejects(session.fetch(wrong).done, VerificationError)
      await session.close()
      await assertNothingHeld(gatewaySide)
    } finally {
      await gatewaySide.close()
    }
  })
})

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

function wantedOf(cid: CID, content: Uint8Array): WantedFile {
  const digest = digestOf(content)
  return { cid, digest, size: content.length, path: blobPath(digest.hex) }
}

async function commit({ store }: KuboSide, { path, digest }: WantedFile, file: FileFetch): Promise<void> {
  const { upload } = await file.done
  if (upload !== undefined) await store.commit({ uploads: [{ id: upload, path, digest }] })
}

/** Every block of it is at a node. */
async function assertWhole({ nodes }: KuboSide, cid: CID): Promise<void> {
  const whole = await Promise.all(nodes.all.map((node) =>
    node.rpc.bytes('dag/stat', { arg: cid.toString(), offline: true, progress: false }).then(() => true, () => false)))
  assert.ok(whole.includes(true), `${cid} is whole nowhere`)
}

async function assertNothingHeld({ kubos, nodes, uploads }: KuboSide): Promise<void> {
  for (const kubo of kubos) assert.equal(await kubo.ipfs('pin', 'ls', '--type=recursive', '-q'), EMPTY_DIRECTORY)
  for (const node of nodes.all) {
    for (const { name } of await node.list('/disco/staged') ?? []) assert.deepEqual((await node.list(`/disco/staged/${name}`))?.map((entry) => entry.name), [])
  }
  assert.deepEqual(await uploads.list(), [])
}

async function addBy(kubo: Kubo, content: Uint8Array, options: readonly string[]): Promise<CID> {
  const node = new KuboNode(kubo.url)
  try {
    const named = Object.fromEntries(options.map((option) => {
      const [name = '', value = true] = option.slice(2).split('=')
      return [name, value]
    }))
    const { Hash } = await node.rpc.json<{ Hash: string }>('add', { pin: false, progress: false, ...named }, { body: each([content]) })
    return (await import('multiformats/cid')).CID.parse(Hash)
  } finally {
    node.close()
  }
}

async function importDag(node: KuboNode, blocks: readonly Block[]): Promise<CID> {
  const root = blocks.at(-1)?.cid
  if (root === undefined) throw new Error('no blocks')
  await node.importCar(encodeCar(root, each(blocks)))
  return root
}

function leaf(size: number): Block {
  const bytes = createHash('sha512').update(String(size)).digest().subarray(0, Math.min(64, size))
  const padded = Buffer.concat([bytes, Buffer.alloc(size - bytes.length, 1)])
  return { cid: cidOf(RAW, sha256(padded)), bytes: padded }
}

function node(unixfs: UnixFS, children: readonly CID[], names: readonly string[] = []): Block {
  const links: PBLink[] = children.map((Hash, index) => ({ Name: names[index] ?? '', Hash, Tsize: 1 }))
  const bytes = encode(prepare({ Data: unixfs.marshal(), Links: links }))
  return { cid: cidOf(DAG_PB, sha256(bytes)), bytes }
}

function file(children: readonly (readonly [Block, number])[]): Block {
  return node(new UnixFS({ type: 'file', blockSizes: children.map(([, size]) => BigInt(size)) }), children.map(([block]) => block.cid))
}

function directory(entries: Record<string, Block>): Block {
  return node(new UnixFS({ type: 'directory' }), Object.values(entries).map(({ cid }) => cid), Object.keys(entries))
}

/** Each leaf has one byte of the file, and a MiB of nothing after it: a field that UnixFS does not have. */
function padded(leaves: number): Block[] {
  const blocks = Array.from({ length: leaves }, (_, index) => {
    const data = new UnixFS({ type: 'file', data: Buffer.from('x') }).marshal()
    const padding = Buffer.concat([Buffer.from([0xfa, 0x01, 0x80, 0x80, 0x40]), Buffer.alloc(MEBIBYTE, index)])
    const bytes = encode(prepare({ Data: Buffer.concat([data, padding]), Links: [] }))
    return { cid: cidOf(DAG_PB, sha256(bytes)), bytes }
  })
  return [...blocks, file(blocks.map((block) => [block, 1] as const))]
}

/** Few blocks, and more ways through them than anybody can go. Only the root says how many bytes there are. */
function endless(depth: number): Block[] {
  const blocks = [node(new UnixFS({ type: 'file' }), [])]
  for (let i = 1; i < depth; i++) {
    const below = blocks.at(-1)
    if (below !== undefined) blocks.push(file([[below, 0], [below, 0]]))
  }
  const below = blocks.at(-1)
  return below === undefined ? blocks : [...blocks, file([[below, 8]])]
}

async function until(condition: () => Promise<boolean>, timeout = 30_000): Promise<void> {
  for (const end = Date.now() + timeout; !(await condition().catch(() => false)); await sleep(100)) {
    if (Date.now() > end) throw new Error(`not within ${timeout} ms`)
  }
}

async function* each<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items
}
