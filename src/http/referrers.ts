import { OCI_IMAGE_INDEX } from '../oci/media-type.ts'
import type { Answer } from './answer.ts'
import type { Exchange } from './exchange.ts'
import { nextLink, pageOptions } from './lists.ts'
import { referrersLocation } from './locations.ts'

/** end-12a and end-12b: the manifests whose subject is a digest, as an image index. */
export async function getReferrers({ registry, name, reference, search, signal }: Exchange): Promise<Answer> {
  // An empty filter would find nothing: every referrer that has a type has one that is not empty.
  const artifactType = new URLSearchParams(search).get('artifactType') || undefined
  const options = { ...pageOptions(search, signal), artifactType }
  const { referrers, next } = await registry.referrers(name, reference, options)
  const index = { schemaVersion: 2, mediaType: OCI_IMAGE_INDEX, manifests: referrers }
  return {
    status: 200,
    headers: {
      'Content-Type': OCI_IMAGE_INDEX,
      // distribution-spec §Listing Referrers: if filtering is requested and applied, the response MUST include it.
      ...(artifactType === undefined ? {} : { 'OCI-Filters-Applied': 'artifactType' }),
      ...nextLink(referrersLocation(name, reference), next, options, artifactType === undefined ? {} : { artifactType }),
    },
    body: JSON.stringify(index),
  }
}
