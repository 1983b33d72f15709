import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { GlobalRegistry } from '../../src/global/global-registry.ts'
import { EmbeddedDagIndex } from '../../src/ipfs/embedded/dag-index.ts'
import { EmbeddedNetwork } from '../../src/ipfs/embedded/network.ts'
import { sessionOpener } from '../../src/ipfs/embedded/session-opener.ts'
import { cidOf, DAG_PB, sha256 } from '../../src/ipfs/unixfs/block.ts'
import { RegistryError } from '../../src/oci/errors.ts'
import { RegistryCore } from '../../src/registry/core.ts'
import { EmbeddedStore } from '../../src/storage/embedded/store.ts'
import { silentLogger } from '../../src/telemetry/create-logger.ts'
import { makeImage, pushImage, TestDisco } from '../global/harness.ts'
import { serve, serveBlocks } from '../ipfs/gateway-server.ts'
import { freePort, Nodes } from './harness.ts'

const unknown = (seed: number): string => cidOf(DAG_PB, sha256(Buffer.from(`nobody has this: ${seed}`))).toString()

/** A registry with a private network over these peers. */
async function registryOf(t: TestContext, peers: readonly (string | URL)[], findTimeout = 1000): Promise<GlobalRegistry> {
  const directory = await mkdtemp(join(tmpdir(), 'disco-failing-'))
  const store = await EmbeddedStore.open(directory)
  const index = await EmbeddedDagIndex.open(store.database, store)
  const log = silentLogger()
  const network = new EmbeddedNetwork({
    options: { mode: 'private', directory, listen: ['/ip4/127.0.0.1/tcp/0'], peers: peers.map(String), findTimeout },
    blocks: index.blocks,
    queue: index.queue,
    session: sessionOpener({ store, index, log }),
    log,
  })
  await network.start()
  const registry = new GlobalRegistry({ core: new RegistryCore(store), store, index, network, log })
  t.after(async () => {
    await registry.close()
    await network.stop()
    await store.close()
    await rm(directory, { recursive: true })
  })
  return registry
}

async function origin(t: TestContext): Promise<{ url: URL; cid: string }> {
  const disco = await TestDisco.open()
  t.after(() => disco.close())
  const { cid } = await pushImage(disco.registry, 'app', 'latest', makeImage([1000]))
  return { cid, url: (await serveBlocks(t, disco.index.blocks)).url }
}

async function refusal(registry: GlobalRegistry, cid: string): Promise<RegistryError> {
  const error: unknown = await registry.manifest(cid, 'latest').catch((reason: unknown) => reason)
  assert.ok(error instanceof RegistryError)
  return error
}

/** Clients may be strangers: which peers an operator has, and what is wrong with them, is for the log alone. */
function toldButNotNamed({ code, message, cause }: RegistryError, peer: string): void {
  assert.equal(code, 'UNAVAILABLE')
  assert.match(message, /peers that failed or could not be asked: 1$/)
  assert.ok(!message.includes(peer), message)
  assert.ok(cause instanceof Error && cause.message.includes(peer), String(cause))
}

const WAYS: Record<string, RequestListener> = {
  'answers 500': (_, response) => void response.writeHead(500).end('no'),
  'closes the connection': (request) => void request.destroy(),
  'hangs': () => {},
  'sends too many headers': (_, response) => {
    for (let i = 0; i < 1000; i++) response.setHeader(`x${i}`, 'a'.repeat(100))
    response.end('no')
  },
  'redirects': (_, response) => void response.writeHead(302, { location: '/' }).end(),
}

describe('a CID that nobody gives', () => {
  for (const [way, listener] of Object.entries(WAYS)) {
    it(`may be known to a gateway that ${way}: no 404`, async (t) => {
      const { url } = await serve(t, listener)
      toldButNotNamed(await refusal(await registryOf(t, [url]), unknown(1)), url.host)
    })
  }

  it('may be known to a peer that is not there or does not answer: no 404', async (t) => {
    const nodes = new Nodes()
    t.after(() => nodes.close())
    const hanging = await nodes.start()
    hanging.blocks.get = () => new Promise(() => {})
    hanging.blocks.has = () => new Promise(() => {})
    const gone = `/ip4/127.0.0.1/tcp/${await freePort()}/p2p/${hanging.peerId}`
    for (const peer of [hanging.address, gone, `http://127.0.0.1:${await freePort()}`]) {
      toldButNotNamed(await refusal(await registryOf(t, [peer]), unknown(2)), peer)
    }
  })

  it('is unknown where every peer says so, and where there is none', async (t) => {
    const nodes = new Nodes()
    t.after(() => nodes.close())
    const { url } = await origin(t)
    for (const peers of [[], [url], [(await nodes.start()).address], [url, (await nodes.start()).address]]) {
      assert.equal((await refusal(await registryOf(t, peers), unknown(3))).code, 'NAME_UNKNOWN')
    }
  })

  it('holds up no clone, however many of them are asked for, also where one peer hangs', async (t) => {
    const { url, cid } = await origin(t)
    const hanging = await serve(t, WAYS['hangs'] ?? assert.fail())
    const registry = await registryOf(t, [hanging.url, url], 8000)
    const stop = new AbortController()
    const searches = Array.from({ length: 300 }, (_, seed) => registry.manifest(unknown(seed), 'latest', { signal: stop.signal }).catch(() => {}))
    await new Promise((resolve) => setTimeout(resolve, 500))
    const begun = performance.now()
    assert.ok((await registry.manifest(cid, 'latest')).bytes.length > 0)
    assert.ok(performance.now() - begun < 6000)
    stop.abort()
    await Promise.all(searches)
  })
})
