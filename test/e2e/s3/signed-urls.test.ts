import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { GetObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { makeClient } from '../../../src/storage/bucket/s3/client.ts'
import { settle, type S3Options } from '../../../src/storage/bucket/s3/options.ts'
import { S3Bucket } from '../../../src/storage/bucket/s3/bucket.ts'
import { SignedUrls } from '../../../src/storage/bucket/s3/signed-urls.ts'
import { S3Server } from '../harness/s3.ts'

const KEYS = ['docker/registry/v2/blobs/sha256/ab/abcd/data', 'with space/and (these)!', "it's*~_-.key", 'ümlaut/日本', 'a+b=c&d?e#f%20', 'key']
const AMAZON: S3Options = { bucket: 'images', region: 'eu-central-1', accessKey: 'AKIDEXAMPLE', secretKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }

describe('URLs of objects in a bucket', () => {
  let server: S3Server
  before(async () => {
    server = await S3Server.start()
  })
  after(() => server.remove())

  for (const [where, options] of Object.entries({
    'Amazon': AMAZON,
    'a role of Amazon\'s': { ...AMAZON, sessionToken: 'FwoGZXIvYXdzEBYaD+/=token' },
    'Amazon, in the path': { ...AMAZON, forcePathStyle: true },
    'Amazon, by IPv6': { ...AMAZON, useDualStack: true },
    'Amazon, accelerated': { ...AMAZON, accelerate: true },
    'another server': { ...AMAZON, regionEndpoint: 'https://minio.example.com:9000' },
  } satisfies Record<string, S3Options>)) {
    it(`are at ${where} what the SDK makes them`, async () => {
      const settled = settle(options)
      const client = makeClient(settled)
      const urls = new SignedUrls(client, settled.bucket)
      for (const key of KEYS) {
        for (const [method, Command] of [['GET', GetObjectCommand], ['HEAD', HeadObjectCommand]] as const) {
          const told = async (): Promise<[string, string]> => [await urls.of(method, key, 1200), await getSignedUrl(client, new Command({ Bucket: settled.bucket, Key: key }), { expiresIn: 1200 })]
          let [ours, theirs] = await told()
          // A second may have passed in between.
          if (ours !== theirs) [ours, theirs] = await told()
          assert.equal(ours, theirs)
        }
      }
      client.destroy()
    })
  }

  it('give what is there, whatever its key', async () => {
    const bucket = S3Bucket.of(await server.bucket())
    for (const [number, key] of KEYS.entries()) {
      const data = Buffer.from(`${number} ${key}`)
      await bucket.put(key, data)
      assert.deepEqual(Buffer.from((await bucket.get(key))?.data ?? []), data)
      assert.equal((await bucket.head(key))?.size, data.length)
      assert.equal(await (await fetch(await bucket.presigned(key, 'GET', 60))).text(), data.toString())
      assert.equal((await fetch(await bucket.presigned(key, 'GET', 60), { method: 'HEAD' })).status, 403)
    }
    assert.equal(await bucket.get('missing'), undefined)
    assert.equal(await bucket.head('missing'), undefined)
    bucket.close()
  })

  it('say a missing bucket is no missing object', async () => {
    const bucket = S3Bucket.of(server.options('missing'))
    await assert.rejects(bucket.get('key'), /NoSuchBucket/)
    await assert.rejects(bucket.head('key'), /NoSuchBucket/)
    bucket.close()
  })

  it('are made anew when the credentials change', async () => {
    const settled = settle(AMAZON)
    const client = makeClient(settled)
    const urls = new SignedUrls(client, settled.bucket)
    const signer = async (): Promise<string | null> => new URL(await urls.of('GET', 'key', 60)).searchParams.get('X-Amz-Credential')
    assert.match(await signer() ?? '', /^AKIDEXAMPLE\//)
    client.config.credentials = async () => ({ accessKeyId: 'OTHER', secretAccessKey: 'other', sessionToken: 'token' })
    assert.match(await signer() ?? '', /^OTHER\//)
    assert.equal(new URL(await urls.of('GET', 'key', 60)).searchParams.get('X-Amz-Security-Token'), 'token')
    client.destroy()
  })
})
