import { join } from 'node:path'
import { EmbeddedNetwork } from '../../src/ipfs/embedded/network.ts'
import type { CID } from 'multiformats/cid'
import { cidOf, RAW, sha256 } from '../../src/ipfs/unixfs/block.ts'
import { silentLogger } from '../../src/telemetry/create-logger.ts'
import { first } from './harness.ts'

/**
 * Run by a test as a process of its own, in a network namespace: `<directory> <address>…`. The first node knows nobody,
 * the others know the first. What the second one provides, the last one fetches.
 */
const [directory = '', ...addresses] = process.argv.slice(2)

const content = Buffer.from('known to one, wanted by another')
const root = cidOf(RAW, sha256(content))
const provided = Promise.withResolvers<CID>()

function createNode(address: string, has: boolean, peers: readonly string[]): EmbeddedNetwork {
  const listen = [`/ip4/${address}/tcp/4001`]
  return new EmbeddedNetwork({
    options: { mode: 'public', directory: join(directory, address), listen, announce: listen, peers, findTimeout: 20_000 },
    blocks: { get: async (cid) => (has && cid.equals(root) ? content : undefined), has: async (cid) => has && cid.equals(root) },
    queue: { due: () => (has ? [root] : []), provided: async (cid) => provided.resolve(cid) },
    session: () => {
      throw new Error('no sessions here')
    },
    log: silentLogger(),
  })
}

const meeting = createNode(first(addresses), false, [])
await meeting.start()
const peers = (await meeting.info()).addresses
const [giver, taker] = addresses.slice(1).map((address, n) => createNode(address, n === 0, peers))
await giver?.start()
const told = await provided.promise
await taker?.start()
const block = await taker?.source(root).fetch(root)
for (const node of [taker, giver, meeting]) await node?.stop()
console.log(JSON.stringify({ provided: told.equals(root), fetched: content.equals(block ?? new Uint8Array()) }))
