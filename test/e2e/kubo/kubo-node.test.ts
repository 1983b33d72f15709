import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { layoutFile, chunkHashesOf } from '../../../src/ipfs/unixfs/file-layout.ts'
import { KuboDownError, KuboRefusedError } from '../../../src/ipfs/kubo/nodes/errors.ts'
import { KuboNode } from '../../../src/ipfs/kubo/nodes/node.ts'
import { fill } from '../../contract/bytes.ts'
import { Kubo } from '../harness/kubo.ts'

describe('one Kubo, by its RPC', { timeout: 120_000 }, () => {
  let kubo: Kubo
  let node: KuboNode

  before(async () => {
    kubo = await Kubo.start()
    node = new KuboNode(kubo.url)
  })

  after(async () => {
    node.close()
    await kubo.remove()
  })

  it('adds under the profile, into MFS, and gives it back', async () => {
    const content = fill(3 * 1024 * 1024 + 17, 1)
    const cid = await node.add(pieces(content, 100_000))
    assert.equal(cid.toString(), layoutFile(chunkHashesOf(content), content.length).root.toString())
    await node.link(cid, '/a/b/data')
    await node.flush('/')
    assert.deepEqual(await node.stat('/a/b/data'), { cid, directory: false, size: content.length })
    assert.ok((await gather(node.read('/a/b/data'))).equals(content))
    assert.ok((await gather(node.read('/a/b/data', { start: 1_048_570, length: 20 }))).equals(content.subarray(1_048_570, 1_048_590)))
    assert.ok((await gather(node.cat(cid, { start: 5, length: 7, offline: true }))).equals(content.subarray(5, 12)))
  })

  it('gives large files, and ranges of them, to who takes time over a chunk, or has enough', async () => {
    const content = fill(2 * 1024 * 1024 + 5, 4)
    await node.link(await node.add(pieces(content, 100_000)), '/large')
    for (const [start, length] of [[0, 256 * 1024], [0, 256 * 1024 + 1], [7, content.length - 7], [100_000, content.length]] as const) {
      const parts: Buffer[] = []
      for await (const chunk of node.read('/large', { start, length })) {
        await sleep(5)
        parts.push(Buffer.from(chunk))
      }
      assert.ok(Buffer.concat(parts).equals(content.subarray(start, start + length)), `${length} from ${start}`)
    }
    let read = 0
    for await (const chunk of node.read('/large')) if ((read += chunk.byteLength) > 1024 * 1024) break
    const stop = new AbortController()
    await assert.rejects(gather((async function* () {
      for await (const chunk of node.read('/large', { signal: stop.signal })) {
        yield chunk
        if ((read -= chunk.byteLength) < 0) stop.abort(new Error('enough'))
      }
    })()), /enough/)
  })

  it('says that it went away in the middle of a large file', async () => {
    const content = fill(24 * 1024 * 1024, 6)
    await node.link(await node.add(pieces(content, 1024 * 1024)), '/larger')
    let read = 0
    try {
      await assert.rejects((async () => {
        for await (const chunk of node.read('/larger')) {
          read += chunk.byteLength
          if (read > 1024 * 1024) await kubo.kill()
        }
      })(), KuboDownError)
    } finally {
      await kubo.up()
    }
    assert.ok(read < content.length)
  })

  it('tells what is not there from what fails', async () => {
    assert.equal(await node.stat('/nothing'), undefined)
    assert.equal(await node.list('/nothing'), undefined)
    const unknown = layoutFile(chunkHashesOf(fill(10, 2)), 10).root
    assert.equal(await node.block(unknown, { offline: true }), undefined)
    assert.equal(await node.hasBlock(unknown), false)
    await node.remove('/nothing')
    await assert.rejects(gather(node.read('/nothing')), KuboRefusedError)
  })

  it('writes, lists and removes', async () => {
    await node.write('/w/x/link', Buffer.from('one'))
    await node.write('/w/x/link', Buffer.from('2'))
    assert.equal((await gather(node.read('/w/x/link'))).toString(), '2')
    assert.deepEqual((await node.list('/w'))?.map(({ name, directory }) => ({ name, directory })), [{ name: 'x', directory: true }])
    await node.remove('/w')
    assert.equal(await node.stat('/w'), undefined)
  })

  it('says that it is down, and answers again when it is back', async () => {
    await kubo.kill()
    await assert.rejects(node.stat('/'), KuboDownError)
    await kubo.up()
    assert.equal((await node.stat('/'))?.directory, true)
  })

  it('starts again whatever was collected before it was killed', async () => {
    await node.makeDirectory('/kept')
    const content = fill(1000, 7)
    const changes: readonly (() => Promise<unknown>)[] = [
      () => node.add(pieces(content, 100), { toFiles: '/kept/added' }),
      () => node.write('/kept/written', content),
      async () => node.link(await node.add(pieces(fill(1000, 8), 1000)), '/kept/linked'),
      () => node.makeDirectory('/kept/directory'),
      () => node.remove(['/kept/linked', '/kept/nothing']),
      () => node.remove('/kept/directory/nothing/below'),
    ]
    const names: (string[] | undefined)[] = []
    for (const change of changes) {
      await change()
      await kubo.ipfs('repo', 'gc', '-q')
      await kubo.kill()
      await kubo.up()
      names.push((await node.names('/kept'))?.sort())
    }
    const all = ['added', 'directory', 'linked', 'written']
    const left = all.filter((name) => name !== 'linked')
    assert.deepEqual(names, [['added'], ['added', 'written'], ['added', 'linked', 'written'], all, left, left])
  })

  it('stops with its signal and keeps the reason', async () => {
    const reason = new Error('enough')
    const abort = new AbortController()
    const endless = (async function* (): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 1000; i++) {
        if (i === 3) abort.abort(reason)
        yield fill(1024 * 1024, i)
      }
    })()
    await assert.rejects(node.add(endless, { signal: abort.signal }), reason)
  })

  it('fails with what the body threw', async () => {
    // As what fails on its way to a node has one.
    const reason = Object.assign(new Error('the source failed'), { code: 'EIO' })
    await assert.rejects(node.add((async function* (): AsyncGenerator<Uint8Array> {
      yield fill(10, 1)
      throw reason
    })()), reason)
  })
})

async function* pieces(content: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size)
}

async function gather(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(new Uint8Array(chunk))
  return Buffer.concat(all)
}
