import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { EmbeddedStore } from '../../src/storage/embedded/store.ts'

// A process to be killed: it commits blobs and links for ever, and says on its standard output what has been acknowledged.

const [directory = '', name = ''] = process.argv.slice(2)
const store = await EmbeddedStore.open(directory)
console.log('open')

async function* pieces(content: Buffer): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < content.byteLength; i += 200_000) {
    yield content.subarray(i, i + 200_000)
    await sleep(1)
  }
}

async function work(worker: number): Promise<void> {
  for (let i = 0; ; i++) {
    const id = `${name}-${worker}-${i}`
    const content = Buffer.alloc(1_000_000 + i * 10_000, id)
    await store.uploads.create(id, 'r')
    await store.uploads.append(id, 0, pieces(content))
    const digest = { algorithm: 'sha256', hex: createHash('sha256').update(content).digest('hex') } as const
    await store.commit({ uploads: [{ id, path: `blobs/${id}`, digest }], changes: [{ put: `links/${id}`, data: Buffer.from(digest.hex) }] })
    console.log(id)
    if (i % 3 === 2) await store.commit({ changes: [{ delete: `blobs/${name}-${worker}-${i - 1}` }, { delete: `links/${name}-${worker}-${i - 1}` }] })
  }
}

await Promise.all([0, 1, 2].map(work))
