import { formatDigest } from '../oci/digest.ts'
import { MAX_MANIFEST_BYTES, manifestTooLarge } from '../registry/limits.ts'
import type { Answer } from './answer.ts'
import { IMMUTABLE } from './blobs.ts'
import { matches } from './conditional.ts'
import type { Exchange } from './exchange.ts'
import { manifestLocation } from './locations.ts'
import { readAll } from './request-body.ts'

/** end-3: GET and HEAD of a manifest. */
export async function getManifest({ registry, name, reference, headers, signal }: Exchange): Promise<Answer> {
  const manifest = await registry.manifest(name, reference, { signal })
  const digest = formatDigest(manifest.digest)
  const etag = `"${digest}"`
  const common = {
    'Docker-Content-Digest': digest,
    ETag: etag,
    ...(reference.includes(':') ? { 'Cache-Control': IMMUTABLE } : {}),
  }
  if (matches(headers['if-none-match'], etag)) return { status: 304, headers: common }
  return { status: 200, headers: { ...common, 'Content-Type': manifest.mediaType }, body: manifest.bytes }
}

/** end-7: PUT of a manifest. */
export async function putManifest({ registry, name, reference, headers, body, signal }: Exchange): Promise<Answer> {
  const bytes = await readAll(body, MAX_MANIFEST_BYTES, manifestTooLarge)
  const receipt = await registry.putManifest(name, { reference, contentType: headers['content-type'], bytes }, { signal })
  const digest = formatDigest(receipt.digest)
  return {
    status: 201,
    headers: {
      Location: manifestLocation(name, digest),
      'Docker-Content-Digest': digest,
      ...(receipt.subject === undefined ? {} : { 'OCI-Subject': formatDigest(receipt.subject) }),
      ...(receipt.cid === undefined ? {} : { 'Disco-CID': receipt.cid }),
    },
  }
}
