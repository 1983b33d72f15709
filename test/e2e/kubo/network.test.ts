import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { CID } from 'multiformats/cid'
import { VerificationError } from '../../../src/ipfs/errors.ts'
import { KuboHolds } from '../../../src/ipfs/kubo/nodes/hold.ts'
import { KuboNode } from '../../../src/ipfs/kubo/nodes/node.ts'
import type { WantedFile } from '../../../src/ipfs/node.ts'
import { collect } from '../../contract/bytes.ts'
import { first } from '../../ipfs-network/harness.ts'
import { Kubo } from '../harness/kubo.ts'
import { addBy, directory, endless, file, importDag, leaf, padded } from './forged-dags.ts'
import { assertNothingHeld, assertWhole, commit, each, wantedOf } from './network-checks.ts'
import { kuboSide, type KuboSide } from './network-scene.ts'

const MEBIBYTE = 1024 * 1024
const FIND_TIMEOUT = 3_000

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
      const fetched = session.fetch(wanted)
      assert.ok((await collect(fetched.read({}))).equals(content))
      assert.ok((await collect(fetched.read({ start: MEBIBYTE - 3, length: 2 * MEBIBYTE }))).equals(content.subarray(MEBIBYTE - 3, 3 * MEBIBYTE - 3)))
      await commit(side, wanted, fetched)
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
      const fetched = session.fetch(wanted)
      const { upload } = await fetched.done
      assert.equal(upload === undefined, index > 0)
      await session.keep()
      await commit(side, wanted, fetched)
      await session.close()
    }
    await assertNothingHeld(side)
    await side.kubos[0]?.ipfs('repo', 'gc', '-q')
    for (const cid of cids) await assertWhole(side, cid)

    // … and no longer than there is something at its place.
    const [node] = side.nodes.all
    assert.equal(await side.index.clean({ patience: 0 }), 0)
    await node?.remove(`/${wantedOf(first(cids), content).path}`)
    assert.equal(await side.index.clean({ patience: 3_600_000 }), 0)
    assert.equal(await side.index.clean({ patience: 0 }), 1)
    assert.deepEqual(await node?.names('/disco/dags'), [])
  })

  it('brings the rest of what is linked at its path in part', async () => {
    const content = randomBytes(5 * MEBIBYTE)
    const cid = await addBy(other, content, ['--cid-version=1', '--chunker=size-1048576'])
    const wanted = wantedOf(cid, content)
    await first(side.kubos).ipfs('files', 'cp', '-p', `/ipfs/${cid}`, `/${wanted.path}`)
    assert.equal(await first(side.nodes.all).isWhole(`/${wanted.path}`), false)
    const session = side.network.open(cid)
    assert.equal((await session.fetch(wanted).done).upload, undefined)
    await session.close()
    await assertWhole(side, cid)
    await assertNothingHeld(side)
  })

  it('lets go of what was held by a process that was killed, and of nothing of others', async () => {
    const node = first(side.nodes.all)
    const cid = await node.add(each([randomBytes(100)]))
    const [killed, another, now] = [new KuboHolds('mine'), new KuboHolds('theirs'), new KuboHolds('mine')]
    const holds = [killed, another, now].map((of) => of.of(node, cid))
    for (const hold of holds) await hold.fetch(() => {})
    assert.equal(await now.releaseLeft(node), 1)
    const left = (await first(side.kubos).ipfs('pin', 'ls', '--type=recursive', '-q')).split('\n')
    assert.deepEqual(holds.map((hold) => left.includes(hold.cid.toString())), [false, true, true])
    for (const hold of holds) await hold.release()
    await assertNothingHeld(side)
  })

  describe('from somebody who lies', () => {
    const lies: Record<string, { make(): Promise<CID>; wanted(cid: CID): WantedFile }> = {
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
      },
    }
    for (const [name, { make, wanted }] of Object.entries(lies)) {
      it(name, async () => {
        const cid = await make()
        const session = side.network.open(cid)
        const fetched = session.fetch(wanted(cid))
        await Promise.all([assert.rejects(fetched.done, VerificationError), assert.rejects(collect(fetched.read({})), VerificationError)])
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
