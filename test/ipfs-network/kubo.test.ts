import { decode, encode } from '@ipld/dag-pb'
import type { MultihashDigest } from 'multiformats'
import { CID } from 'multiformats/cid'
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { cidOf, DAG_PB, sha256 } from '../../src/ipfs/unixfs/block.ts'
import { fill } from '../contract/bytes.ts'
import { Nodes, SWARM_KEY, type TestNode } from './harness.ts'

const IPFS = process.env['KUBO'] ?? 'ipfs'
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

describe('with Kubo, behind a swarm key', { skip: !hasKubo() && 'no Kubo: KUBO=path/to/ipfs' }, () => {
  const nodes = new Nodes()
  let repository = ''
  let daemon: ChildProcess
  let node: TestNode
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
    node = await nodes.start({ swarmKey: SWARM_KEY, peers: Addresses })
  })

  after(async () => {
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
})

function environment(repository: string): NodeJS.ProcessEnv {
  return { ...process.env, IPFS_PATH: repository, IPFS_TELEMETRY: 'off', LIBP2P_FORCE_PNET: '1' }
}

function hasKubo(): boolean {
  try {
    execFileSync(IPFS, ['version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
