import { decode, encode } from '@ipld/dag-pb'
import type { MultihashDigest } from 'multiformats'
import { CID } from 'multiformats/cid'
import assert from 'node:assert/strict'
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { cidOf, DAG_PB, sha256 } from '../../src/ipfs/unixfs/block.ts'
import { fill } from '../contract/bytes.ts'
import { Nodes, SWARM_KEY, type TestNode } from '../ipfs-network/harness.ts'
import { ROOT } from './harness/command.ts'
import { startDisco, type DiscoServer } from './harness/disco.ts'
import { incompressible } from './harness/images.ts'
import { CID_HEADER, OCI_MANIFEST, RegistryClient, digestOf, expectStatus } from './harness/registry-client.ts'
import { assertComplete } from './harness/verify.ts'

const IPFS = join(ROOT, '.tools/bin/ipfs')
const run = promisify(execFile)

/** Nothing but loopback: nobody to bootstrap from, nothing announced, nothing looked up. */
const CONFIG = {
  'Addresses.Swarm': ['/ip4/127.0.0.1/tcp/0'],
  'Addresses.API': '/ip4/127.0.0.1/tcp/0',
  'Addresses.Gateway': [],
  'AutoConf.Enabled': false,
  'AutoNAT.ServiceMode': 'disabled',
  'AutoTLS.Enabled': false,
  Bootstrap: [],
  'Discovery.MDNS.Enabled': false,
  'DNS.Resolvers': {},
  'HTTPRetrieval.Enabled': false,
  'Ipns.DelegatedPublishers': [],
  'Routing.DelegatedRouters': [],
  'Routing.Type': 'none',
  'Swarm.DisableNatPortMap': true,
  'Swarm.RelayClient.Enabled': false,
  'Swarm.RelayService.Enabled': false,
  'Swarm.Transports.Network.Relay': false,
}

describe('with Kubo, behind a swarm key', { timeout: 300_000 }, () => {
  const nodes = new Nodes()
  let repository = ''
  let daemon: ChildProcess
  let node: TestNode
  let addresses: readonly string[] = []
  const servers: DiscoServer[] = []
  const ipfs = async (...args: string[]): Promise<Buffer> =>
    (await run(IPFS, args, { env: environment(repository), encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 })).stdout

  before(async () => {
    repository = await mkdtemp(join(tmpdir(), 'disco-kubo-'))
    await ipfs('init', '--empty-repo')
    for (const [key, value] of Object.entries(CONFIG)) await ipfs('config', '--json', key, JSON.stringify(value))
    await writeFile(join(repository, 'swarm.key'), SWARM_KEY)
    daemon = spawn(IPFS, ['daemon'], { env: environment(repository), stdio: ['ignore', 'pipe', 'ignore'] })
    for await (const line of daemon.stdout ?? []) if (String(line).includes('Daemon is ready')) break
    const { Addresses } = JSON.parse((await ipfs('id')).toString()) as { Addresses: string[] }
    addresses = Addresses
    node = await nodes.start({ swarmKey: SWARM_KEY, peers: addresses })
  })

  after(async () => {
    for (const server of servers) await server.kill()
    await nodes.close()
    if (daemon.exitCode === null) {
      daemon.kill()
      await once(daemon, 'exit')
    }
    await rm(repository, { recursive: true })
  })

  for (const size of [1024 * 1024, 2 * 1024 * 1024 - 256]) {
    it(`fetches blocks of ${size} bytes from it`, async () => {
      const content = fill(8 * size - 1, size)
      const file = join(repository, 'content')
      await writeFile(file, content)
      const added = await ipfs('add', '-Q', '--cid-version=1', '--raw-leaves', `--chunker=size-${size}`, file)
      const root = CID.parse(added.toString().trim())
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
      assert.ok((await ipfs('block', 'get', cid.toString())).equals(content))
    }
  })

  it('serves a block to it again', async () => {
    const content = fill(1000, 7)
    const cid = node.blocks.add(content)
    for (let i = 0; i < 3; i++) {
      assert.ok((await ipfs('block', 'get', cid.toString())).equals(content))
      await ipfs('block', 'rm', cid.toString())
    }
  })

  it('gives it blocks under CIDv0, and takes them from it', async () => {
    const mine = encode({ Data: fill(100, 8), Links: [] })
    const cid = node.blocks.add(mine, CID.createV0(cidOf(DAG_PB, sha256(mine)).multihash as MultihashDigest<0x12>))
    assert.ok((await ipfs('block', 'get', cid.toString())).equals(mine))
    const file = join(repository, 'content')
    await writeFile(file, fill(1_000_000, 9))
    const root = CID.parse((await ipfs('add', '-Q', '--cid-version=0', file)).toString().trim())
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

  it('names an image as `ipfs add` does, hands it over, and gets it back', async () => {
    const key = join(repository, 'swarm.key')
    const start = async (name: string): Promise<DiscoServer> => {
      const server = await startDisco({ data: join(repository, name), peers: addresses, args: ['--swarm-key', key] })
      servers.push(server)
      return server
    }
    const first = await start('first')
    const { cid, digest, layers } = await pushImage(new RegistryClient(first.url), [3 * 1024 * 1024 + 1, 100])

    const files = join(repository, 'image')
    await ipfs('get', '-o', files, cid)
    const profile = ['-Q', '--cid-version=1', '--raw-leaves', '--chunker=size-1048576', '--max-file-links=1024']
    assert.equal((await ipfs('add', '-r', ...profile, files)).toString().trim(), cid)

    const { blobs } = JSON.parse((await ipfs('cat', `${cid}/disco.json`)).toString()) as { blobs: { digest: string; cid: string }[] }
    assert.deepEqual(blobs.slice(2).map((blob) => `sha256:${blob.digest}`), layers.map(digestOf))
    await Promise.all([cid, ...blobs.map((blob) => blob.cid)].map((root) => ipfs('pin', 'add', root)))
    await first.stop()

    const second = await start('second')
    await assertComplete(new RegistryClient(second.url), cid, 'latest', digest)
    await second.stop()
  })
})

interface PushedImage {
  readonly cid: string
  readonly digest: string
  readonly layers: readonly Buffer<ArrayBuffer>[]
}

async function pushImage(client: RegistryClient, sizes: readonly number[]): Promise<PushedImage> {
  const layers = sizes.map((size) => incompressible(`kubo ${size}`, size))
  const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: layers.map(digestOf) } }))
  for (const blob of [config, ...layers]) await client.finishUpload(await client.startUpload('image'), digestOf(blob), blob)
  const manifest = Buffer.from(JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(config), size: config.length },
    layers: layers.map((layer) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digestOf(layer), size: layer.length })),
  }))
  const answer = expectStatus(await client.putManifest('image', 'latest', manifest), 201)
  return { cid: answer.headers.get(CID_HEADER) ?? '', digest: digestOf(manifest), layers }
}

function environment(repository: string): NodeJS.ProcessEnv {
  return { ...process.env, IPFS_PATH: repository, IPFS_TELEMETRY: 'off', LIBP2P_FORCE_PNET: '1' }
}
