import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import type { CID } from 'multiformats/cid'
import { shownBy } from '../../src/global/repository-tree.ts'
import { formatDigest } from '../../src/oci/digest.ts'
import { parseManifest } from '../../src/oci/manifest.ts'
import { imageOf, indexOf, makeImage, piece, registryError, TestDisco, type ImageParts, type Piece } from './harness.ts'

interface Entry {
  digest: string
  cid: string
}

/** An image as its author pleases; its blocks are whole and hash to their CIDs. */
class Forger {
  readonly disco: TestDisco
  #files = 0

  constructor(disco: TestDisco) {
    this.disco = disco
  }

  async cidOf(bytes: Uint8Array): Promise<string> {
    const path = `lies/${this.#files++}`
    await this.disco.store.commit({ changes: [{ put: path, data: bytes }] })
    return (await this.disco.index.file(path)).toString()
  }

  async entries(...pieces: Piece[]): Promise<Entry[]> {
    return Promise.all(pieces.map(async ({ digest, bytes }) => ({ digest: digest.hex, cid: await this.cidOf(bytes) })))
  }

  async publish(files: Map<string, string>): Promise<CID> {
    const root = await this.disco.index.addTree(new Map([...files].map(([path, text]) => [path, new TextEncoder().encode(text)])))
    await this.disco.store.commit({ changes: [{ put: shownBy(root), data: new TextEncoder().encode('shown') }] })
    return root
  }
}

function filesOf({ manifest, config, layers }: ImageParts, blobs: Entry[]): Map<string, string> {
  const link = formatDigest(manifest.digest)
  return new Map([
    ['disco.json', `${JSON.stringify({ blobs })}\n`],
    [`_manifests/revisions/sha256/${manifest.digest.hex}/link`, link],
    ['_manifests/tags/latest/current/link', link],
    [`_manifests/tags/latest/index/sha256/${manifest.digest.hex}/link`, link],
    ...[config, ...layers].map(({ digest }) => [`_layers/sha256/${digest.hex}/link`, formatDigest(digest)] as const),
  ])
}

type Lie = (files: Map<string, string>, blobs: Entry[], image: ImageParts, forger: Forger) => void | Promise<void>

const rewrite: (change: (blobs: Entry[], image: ImageParts, forger: Forger) => Entry[] | Promise<Entry[]>) => Lie =
  (change) => async (files, blobs, image, forger) => {
    files.set('disco.json', JSON.stringify({ blobs: await change(blobs, image, forger) }))
  }

const LIES: Record<string, Lie> = {
  'no disco.json': (files) => void files.delete('disco.json'),
  'a disco.json that is no JSON': (files) => void files.set('disco.json', '{"blobs":['),
  'a disco.json without blobs': (files) => void files.set('disco.json', '{"blobs":[]}'),
  'a disco.json that begins with another': rewrite((blobs) => [...blobs].reverse()),
  'a disco.json that lacks a layer': rewrite((blobs) => blobs.slice(0, -1)),
  'a disco.json that lacks the config': rewrite((blobs) => blobs.toSpliced(1, 1)),
  'a disco.json with one more': rewrite(async (blobs, _, forger) => [...blobs, ...await forger.entries(piece('extra'))]),
  'a disco.json with two CIDs for a blob': rewrite((blobs) => [...blobs, { digest: blobs[1]?.digest ?? '', cid: blobs[0]?.cid ?? '' }]),
  'no latest': (files) => void files.delete('_manifests/tags/latest/current/link'),
  'a latest that is no link': (files) => void files.set('_manifests/tags/latest/current/link', 'latest'),
  'a latest that names another': (files) => void files.set('_manifests/tags/latest/current/link', formatDigest(piece('other').digest)),
  'a link to another blob': (files, _, { config }) => void files.set(`_layers/sha256/${config.digest.hex}/link`, formatDigest(piece('other').digest)),
  'a link that is missing': (files, _, { config }) => void files.delete(`_layers/sha256/${config.digest.hex}/link`),
  'a link with more in it': (files, _, { config }) => void files.set(`_layers/sha256/${config.digest.hex}/link`, `${formatDigest(config.digest)}\n`),
  'a second tag': (files, _, { manifest }) => void files.set('_manifests/tags/v1/current/link', formatDigest(manifest.digest)),
  'a file of its own': (files) => void files.set('etc/passwd', 'root'),
  'a tree that is too deep': (files) => void files.set(Array.from({ length: 50 }, () => 'a').join('/'), ''),
  'a manifest with other content': rewrite(async (blobs, { manifest }, forger) =>
    [{ digest: manifest.digest.hex, cid: await forger.cidOf(Buffer.from('{}')) }, ...blobs.slice(1)]),
  'a layer with other content': rewrite(async (blobs, { layers }, forger) =>
    [...blobs.slice(0, -1), { digest: layers.at(-1)?.digest.hex ?? '', cid: await forger.cidOf(Buffer.alloc(layers.at(-1)?.bytes.length ?? 0)) }]),
  'a layer that goes on': rewrite(async (blobs, { layers }, forger) =>
    [...blobs.slice(0, -1), { digest: layers.at(-1)?.digest.hex ?? '', cid: await forger.cidOf(Buffer.concat([layers.at(-1)?.bytes ?? Buffer.alloc(0), Buffer.alloc(9)])) }]),
  'a layer that stops short': rewrite(async (blobs, { layers }, forger) =>
    [...blobs.slice(0, -1), { digest: layers.at(-1)?.digest.hex ?? '', cid: await forger.cidOf(layers.at(-1)?.bytes.subarray(1) ?? Buffer.alloc(0)) }]),
  'a layer that is a directory': rewrite((blobs, { layers }, forger) =>
    forger.publish(new Map([['x', 'y']])).then((cid) => [...blobs.slice(0, -1), { digest: layers.at(-1)?.digest.hex ?? '', cid: cid.toString() }])),
}

describe('a lying author', () => {
  let forger: Forger
  let disco: TestDisco
  before(async () => { forger = new Forger(await TestDisco.open()) })
  after(() => forger.disco.close())
  beforeEach(async () => { disco = await TestDisco.open({ peers: [forger.disco.index.blocks] }) })
  afterEach(() => disco.close())

  async function refuses(root: CID): Promise<void> {
    const name = root.toString()
    await assert.rejects(disco.registry.cloneGlobalRepo(name), registryError('MANIFEST_UNVERIFIED'))
    await assert.rejects((async () => {
      const { bytes } = await disco.registry.manifest(name, 'latest')
      for (const { digest } of parseManifest(bytes).blobs) {
        for await (const _ of (await disco.registry.blob(name, formatDigest(digest))).read()) { /* the last one never comes */ }
      }
    })(), registryError('MANIFEST_UNVERIFIED'))
    await disco.registry.close()
    assert.deepEqual(await disco.store.list(''), [])
    assert.deepEqual(await disco.store.uploads.list(), [])
    assert.deepEqual(disco.provided, [])
  }

  it('is one only when he lies', async () => {
    const image = makeImage()
    const blobs = await forger.entries(image.manifest, image.config, ...image.layers)
    await disco.registry.cloneGlobalRepo((await forger.publish(filesOf(image, blobs))).toString())
  })

  for (const [what, lie] of Object.entries(LIES)) {
    it(`is refused with ${what}`, async () => {
      const image = makeImage()
      const blobs = await forger.entries(image.manifest, image.config, ...image.layers)
      const files = filesOf(image, blobs)
      await lie(files, blobs, image, forger)
      await refuses(await forger.publish(files))
    })
  }

  it('is refused with a manifest that says another size', async () => {
    const { config, layers } = makeImage()
    const sized = imageOf([...layers.slice(1), { digest: layers[0]?.digest ?? config.digest, bytes: Buffer.alloc(4) }], config)
    const image = { ...sized, layers }
    await refuses(await forger.publish(filesOf(image, await forger.entries(image.manifest, config, ...layers))))
  })

  it('is refused with a manifest that is none', async () => {
    for (const text of ['null', '{"schemaVersion":2}', '{"schemaVersion":1,"fsLayers":[]}']) {
      const image: ImageParts = { manifest: piece(text), config: piece('config'), layers: [] }
      const root = await forger.publish(filesOf(image, await forger.entries(image.manifest, image.config)))
      await assert.rejects(disco.registry.manifest(root.toString(), 'latest'), registryError('MANIFEST_UNVERIFIED', /manifest/))
    }
  })

  it('is refused with a manifest larger than manifests are', async () => {
    const image: ImageParts = { ...makeImage(), manifest: piece(JSON.stringify({ schemaVersion: 2, config: {}, layers: [], annotations: { long: 'x'.repeat(5 * 1024 * 1024) } })) }
    await refuses(await forger.publish(filesOf(image, await forger.entries(image.manifest, image.config, ...image.layers))))
  })

  it('is refused with an index that lacks a child', async () => {
    const [one, two] = [makeImage([10]), makeImage([20])]
    const all = [one, two].flatMap(({ manifest, config, layers }) => [manifest, config, ...layers])
    const parts = (manifest: Piece): ImageParts => ({ manifest, config: one.config, layers: [...one.layers, two.config, ...two.layers] })
    const lacking = indexOf([one, two])
    await refuses(await forger.publish(filesOf(parts(lacking), await forger.entries(lacking, ...all.filter((entry) => entry !== two.manifest)))))
  })
})
