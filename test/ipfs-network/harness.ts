import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CID } from 'multiformats/cid'
import { EmbeddedNetwork } from '../../src/ipfs/embedded/network.ts'
import type { NetworkOptions } from '../../src/ipfs/embedded/network-options.ts'
import type { BlockReader } from '../../src/ipfs/node.ts'
import { cidOf, RAW, sha256 } from '../../src/ipfs/unixfs/block.ts'
import { silentLogger } from '../../src/telemetry/create-logger.ts'
import { fill } from '../contract/bytes.ts'

export const SWARM_KEY: string = `/key/swarm/psk/1.0.0/\n/base16/\n${'ab'.repeat(32)}\n`
export const OTHER_SWARM_KEY: string = `/key/swarm/psk/1.0.0/\n/base16/\n${'cd'.repeat(32)}\n`

/** Blocks in memory. */
export class Blocks implements BlockReader {
  readonly #blocks = new Map<string, Uint8Array>()
  reads = 0

  add(bytes: Uint8Array, cid: CID = cidOf(RAW, sha256(bytes))): CID {
    this.#blocks.set(cid.toString(), bytes)
    return cid
  }

  remove(cid: CID): void {
    this.#blocks.delete(cid.toString())
  }

  async get(cid: CID): Promise<Uint8Array | undefined> {
    this.reads++
    const bytes = this.#blocks.get(cid.toString())
    return bytes === undefined ? undefined : new Uint8Array(bytes)
  }

  async has(cid: CID): Promise<boolean> {
    return this.#blocks.has(cid.toString())
  }
}

export function block(size: number, seed: number): Uint8Array {
  return fill(size, seed)
}

/** @throws Error when there is none */
export function first<T>(list: readonly T[]): T {
  const [item] = list
  if (item === undefined) throw new Error('nothing there')
  return item
}

export interface TestNode {
  readonly network: EmbeddedNetwork
  readonly blocks: Blocks
  readonly address: string
  readonly peerId: string
}

/** Nodes on loopback in private mode; all that were made are stopped and their directories removed by `close`. */
export class Nodes {
  readonly #closers: (() => Promise<void>)[] = []

  async start(options: Partial<NetworkOptions> = {}): Promise<TestNode> {
    const directory = await mkdtemp(join(tmpdir(), 'disco-network-'))
    this.#closers.push(() => rm(directory, { recursive: true, force: true }))
    const blocks = new Blocks()
    const network = new EmbeddedNetwork({
      options: { mode: 'private', directory, listen: ['/ip4/127.0.0.1/tcp/0'], findTimeout: 2_000, ...options },
      blocks,
      queue: { due: () => [], provided: async () => {} },
      session: () => {
        throw new Error('no sessions here')
      },
      log: silentLogger(),
    })
    await network.start()
    this.#closers.push(() => network.stop())
    const { addresses, peerId } = await network.info()
    return { network, blocks, address: addresses[0] ?? '', peerId }
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close()
  }
}

/** Waits until the node has as many peers. */
export async function untilPeers({ network }: TestNode, count: number, timeout = 5_000): Promise<void> {
  const end = Date.now() + timeout
  while ((await network.info()).peers !== count) {
    if (Date.now() > end) throw new Error(`not ${count} peers within ${timeout} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
