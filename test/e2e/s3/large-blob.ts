import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { digestOf } from '../../../src/oci/digest.ts'
import { bucketPlaces as places } from '../../../src/registry/paths.ts'
import { S3Bucket } from '../../../src/storage/bucket/s3/bucket.ts'
import type { S3Options } from '../../../src/storage/bucket/s3/options.ts'
import { BucketStore } from '../../../src/storage/bucket/store.ts'

/**
 * Sends a blob to a bucket, gets it back, and checks it, the chunks' hashes as well; prints by how much the memory of the
 * process grew meanwhile, in MiB. Arguments: the bucket's options in JSON, and MiB.
 */
const MIB = 1024 * 1024
const [, , options = '', size = ''] = process.argv
const PATH = 'docker/registry/v2/blobs/sha256/ab/abcd/data'

function rss(name: 'VmRSS' | 'VmHWM'): number {
  return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024
}

const store = await BucketStore.open(S3Bucket.of(JSON.parse(options) as S3Options), { places })
const warm = randomBytes(2 * MIB)
await store.uploads.create('warm', 'n')
await store.uploads.append('warm', 0, (async function* () { yield warm })())
await store.commit({ uploads: [{ id: 'warm', path: 'warm', digest: digestOf(warm) }] })
const before = rss('VmRSS')
const hash = createHash('sha256')
await store.uploads.create('u', 'n')
await store.uploads.append('u', 0, (async function* () {
  const chunk = randomBytes(64 * 1024)
  for (let sent = 0; sent < Number(size) * MIB; sent += chunk.byteLength) {
    chunk.writeDoubleLE(sent, 0)
    hash.update(chunk)
    yield chunk
  }
})())
const hex = hash.digest('hex')
await store.commit({ uploads: [{ id: 'u', path: PATH, digest: { algorithm: 'sha256', hex } }] })
const back = createHash('sha256')
for await (const chunk of store.read(PATH)) back.update(chunk)
if (back.digest('hex') !== hex) throw new Error('other bytes came back')
const chunks = await store.chunkHashes(PATH)
if (chunks.byteLength !== Number(size) * 32) throw new Error(`${chunks.byteLength} bytes of hashes`)
await store.close()
console.log(Math.round(rss('VmHWM') - before))
