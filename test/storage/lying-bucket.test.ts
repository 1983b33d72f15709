import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { it } from 'node:test'
import { readObject } from '../../src/storage/bucket/reading.ts'
import { S3Bucket } from '../../src/storage/bucket/s3/bucket.ts'
import { StorageFailedError } from '../../src/storage/errors.ts'

const CONTENT = Buffer.from('0123456789')

/** A server that has one object, and gives it in its way. */
async function reading(answer: { readonly status: number; readonly range?: string; readonly etag: string; readonly data: Buffer }, asked: { start: number; etag?: string }): Promise<string> {
  const { status, range, etag, data } = answer
  const server = createServer((_request, response) => {
    response.writeHead(status, { 'etag': etag, 'content-length': data.length, ...(range === undefined ? {} : { 'content-range': range }) }).end(data)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const bucket = S3Bucket.of({ bucket: 'b', regionEndpoint: `http://127.0.0.1:${port}`, accessKey: 'k', secretKey: 's' })
  try {
    let text = ''
    for await (const chunk of readObject(bucket, 'x', { ...asked, length: CONTENT.length - asked.start })) text += Buffer.from(chunk).toString()
    return text
  } finally {
    bucket.close()
    server.closeAllConnections()
    server.close()
  }
}

it('what a server of buckets gives of another place or another object is nobody\'s bytes', async () => {
  const part = { status: 206, range: 'bytes 4-9/10', etag: '"one"', data: CONTENT.subarray(4) }
  assert.equal(await reading(part, { start: 4, etag: '"one"' }), '456789')
  // It leaves out ranges, as some proxies and caches do.
  await assert.rejects(reading({ status: 200, etag: '"one"', data: CONTENT }, { start: 4 }), StorageFailedError)
  await assert.rejects(reading({ ...part, range: 'bytes 3-8/10', data: CONTENT.subarray(3, 9) }, { start: 4 }), StorageFailedError)
  // … or conditions.
  await assert.rejects(reading({ ...part, etag: '"two"' }, { start: 4, etag: '"one"' }), StorageFailedError)
})
