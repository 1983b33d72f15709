import { formatDigest } from '../oci/digest.ts'
import { MAX_MANIFEST_BYTES, manifestTooLarge } from '../registry/limits.ts'
import type { Answer } from './answer.ts'
import { IMMUTABLE } from './blobs.ts'
import { matches } from './conditional.ts'
import type { Exchange } from './exchange.ts'
import { manifestLocation } from './locations.ts'
import { readAll } from './request-body.ts'
import { warningHeader } from './warning.ts'

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

/** end-7a and end-7b: PUT of a manifest, by digest with any number of tags. */
export async function putManifest({ registry, name, reference, search, headers, body, signal }: Exchange): Promise<Answer> {
  const bytes = await readAll(body, MAX_MANIFEST_BYTES, manifestTooLarge)
  const tags = new URLSearchParams(search).getAll('tag')
  const receipt = await registry.putManifest(name, { reference, tags, contentType: headers['content-type'], bytes }, { signal })
  const digest = formatDigest(receipt.digest)
  return {
    status: 201,
    headers: {
      Location: manifestLocation(name, digest),
      'Docker-Content-Digest': digest,
      ...(receipt.subject === undefined ? {} : { 'OCI-Subject': formatDigest(receipt.subject) }),
      // distribution-spec §Pushing Manifests: MUST include an `OCI-Tag` response header … for each accepted tag.
      ...(receipt.tags === undefined ? {} : { 'OCI-Tag': receipt.tags.join(', ') }),
      ...(receipt.cid === undefined ? {} : { 'Disco-CID': receipt.cid }),
      ...(receipt.warning === undefined ? {} : { Warning: warningHeader(receipt.warning) }),
    },
  }
}

/** end-9: a tag goes, or a manifest with all its tags. */
export async function deleteManifest({ registry, name, reference, signal }: Exchange): Promise<Answer> {
  await registry.deleteManifest(name, reference, { signal })
  return { status: 202 }
}
