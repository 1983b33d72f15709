import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { run } from '../harness/command.ts'
import { filesBelow, filesInMfs, type Files } from '../harness/directory-files.ts'
import type { DiscoServer } from '../harness/disco.ts'
import { TINY, restoreTree, unpackCache, unpackTiny, type GoDiscoTree } from '../harness/go-disco.ts'
import { PROFILE } from '../harness/ipfs-view.ts'
import type { Kubo } from '../harness/kubo.ts'
import { RegistryClient, hexOf } from '../harness/registry-client.ts'
import { Scene } from '../harness/scene.ts'
import { cidByTags } from '../harness/verify.ts'

const TREE = 'docker/registry/v2'
const HEX = hexOf(TINY.digest)
/** The layer of 1,500,000 bytes. */
const LARGE = 'a7cf3ba3dc493fef341f4dc4a1f3b1d76345cc1f944f736c8653eb1fb2fba827'

/**
 * The image that the original was given, pushed with the client that it was given it by. All that may differ, said here:
 * the CIDs in disco.json, because ours are those of the profile, and with them the names that are made of the image's CID.
 */
describe('the tree that ours writes, held against the original\'s', { timeout: 300_000 }, () => {
  let scene: Scene
  let cid: string

  before(async () => {
    scene = await Scene.begin()
    await unpackTiny(join(scene.directory, 'tiny'))
    cid = await push(await scene.disco('embedded'))
  })

  after(() => scene.end())

  async function push(server: DiscoServer): Promise<string> {
    await run('crane', ['push', '--insecure', join(scene.directory, 'tiny'), `${server.host}/tiny:latest`])
    return cidByTags(new RegistryClient(server.url), TINY.digest)
  }

  it('a plain directory', async () => {
    const root = await scene.folder('ours')
    assert.equal(await push(await scene.disco('data', { env: { REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: root } })), cid)
    const theirs = await unpackCache('one-node-cache', join(scene.directory, 'theirs'))
    const ours = await filesBelow(join(root, TREE))
    // Beside a blob of more than one chunk ours keeps what its chunks hash to.
    const added = [...ours.keys()].filter((path) => path.includes('/.disco-'))
    assert.deepEqual(added, [`blobs/sha256/a7/${LARGE}/.disco-chunks.data`])
    assertSame(new Map([...ours].filter(([path]) => !added.includes(path))), await filesBelow(join(theirs, TREE)))
  })

  it('one Kubo', async () => {
    const kubo = await scene.kubo()
    assert.equal(await push(await scene.disco('over one', { kubos: [kubo] })), cid)
    assertSame(await mfs(kubo), await original('one-node'))
  })

  it('two Kubos, each what the original put there', async () => {
    const kubos = [await scene.kubo(), await scene.kubo()] as const
    await kubos[0].connect(kubos[1])
    assert.equal(await push(await scene.disco('over two', { kubos })), cid)
    // Where a repository is depends on its name, and that of the image's CID differs.
    const place = (name: string): number => Number(BigInt(`0x${createHash('md5').update(name).digest('hex')}`) % 2n)
    const [ours, theirs] = [await Promise.all(kubos.map(mfs)), await Promise.all([original('two-nodes-0'), original('two-nodes-1')])]
    for (const node of [0, 1]) assertSame(without(ours[node], cid), without(theirs[node], TINY.cid))
    assertSame(only(ours[place(cid)], cid), only(theirs[place(TINY.cid)], TINY.cid))
  })

  it('is what the original would have written, had its node had the profile', async () => {
    const kubo = await scene.kubo()
    const theirs = await original('one-node')
    const cids = new Map<string, string>()
    const scratch = await scene.folder('rewritten')
    for (const [path, bytes] of theirs) {
      const [, hex] = /^blobs\/sha256\/..\/(\w+)\/data$/.exec(path) ?? []
      if (hex === undefined) continue
      await writeFile(join(scratch, 'data'), bytes)
      cids.set(hex, await kubo.ipfs('add', ...PROFILE, join(scratch, 'data')))
    }
    const repository = join(scratch, 'repository')
    for (const [path, bytes] of theirs) {
      const prefix = `repositories/${TINY.cid}/`
      if (!path.startsWith(prefix)) continue
      const file = join(repository, path.slice(prefix.length))
      await mkdir(dirname(file), { recursive: true })
      const text = bytes.toString()
      await writeFile(file, path.endsWith('/disco.json') ? text.replaceAll(/"digest":"(\w+)","cid":"\w+"/g, (_, hex: string) => `"digest":"${hex}","cid":"${cids.get(hex)}"`) : text)
    }
    assert.equal(await kubo.ipfs('add', '-r', ...PROFILE, repository), cid)
  })

  const mfs = (kubo: Kubo): Promise<Files> => filesInMfs(kubo, `/${TREE}`, join(scene.directory, `mfs of ${kubo.pid}`))

  async function original(tree: GoDiscoTree): Promise<Files> {
    const kubo = await scene.kubo()
    await restoreTree(kubo, tree)
    return mfs(kubo)
  }

  /** @param ours files that have `cid` where `theirs` have the original's */
  function assertSame(ours: Files, theirs: Files): void {
    const [a, b] = [renamed(ours, cid), renamed(theirs, TINY.cid)]
    assert.ok(b.size > 0)
    assert.deepEqual([...a.keys()].sort(), [...b.keys()].sort())
    for (const [path, bytes] of a) {
      const their = b.get(path) ?? assert.fail()
      if (!path.endsWith('/disco.json')) assert.ok(bytes.equals(their), path)
      else {
        assert.match(bytes.toString(), /"cid":"bafy|"cid":"bafk/)
        assert.equal(bytes.toString().replaceAll(/"cid":"baf[ky]\w{55}"/g, '"cid":"…"'), their.toString().replaceAll(/"cid":"Qm\w{44}"/g, '"cid":"…"'))
      }
    }
  }
})

function renamed(files: Files, cid: string): Files {
  return new Map([...files].map(([path, bytes]) => [path.replaceAll(cid, '<CID>').replaceAll(HEX, '<digest>'), bytes]))
}

/** All but the repository of that name. */
function without(files: Files | undefined, name: string): Files {
  return new Map([...(files ?? [])].filter(([path]) => !path.startsWith(`repositories/${name}/`)))
}

function only(files: Files | undefined, name: string): Files {
  return new Map([...(files ?? [])].filter(([path]) => path.startsWith(`repositories/${name}/`)))
}
