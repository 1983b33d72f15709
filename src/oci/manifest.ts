import { parseBoundedJson } from './bounded-json.ts'
import { formatDigest, parseDigest, type Digest } from './digest.ts'
import { RegistryError } from './errors.ts'
import { OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST, essence, isNonDistributable } from './media-type.ts'

/** RFC 6838 §4.2, of the one top-level type that manifests have. */
const APPLICATION_TYPE = /^application\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/

/** A descriptor as image-spec/descriptor.md defines it, read strictly. */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  /** Bytes of the content that it points to. */
  readonly size: number
  /**
   * A non-distributable layer that says where else it is found (`urls`): registries need not hold it. What the content
   * says decides, never what is here, or one image would have several CIDs.
   */
  readonly foreign: boolean
  readonly platform?: Platform
}

export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
}

export interface Manifest {
  readonly mediaType: string
  /** Config and layers (or blobs) in the manifest's order: what must be in the repository as blobs. */
  readonly blobs: readonly Descriptor[]
  /** Children of an index, in its order: what must be there as manifests. */
  readonly manifests: readonly Descriptor[]
  /** What the manifest refers to; it need not exist. */
  readonly subject?: Descriptor
  /** Its own `artifactType`; of one that has a config, and says nothing, the type of that. */
  readonly artifactType?: string
  readonly annotations?: Readonly<Record<string, string>>
}

/**
 * Reads a manifest or an index: OCI, Docker schema 2, or any other JSON that looks like one of them.
 *
 * @throws RegistryError MANIFEST_INVALID with the place of the first fault; `contentType`, when given, must agree with the content
 */
export function parseManifest(bytes: Uint8Array, contentType?: string): Manifest {
  const json = parseJson(bytes)
  if (json['schemaVersion'] === 1) throw invalid('Docker schema 1 is not supported; push schema 2 or OCI')
  const mediaType = mediaTypeOf(json)
  if (contentType !== undefined && essence(contentType) !== '' && essence(contentType) !== mediaType) {
    throw invalid(`Content-Type is ${essence(contentType)}, the manifest says ${mediaType}`)
  }
  const blobs = [
    ...(json['config'] === undefined || json['config'] === null ? [] : [descriptor(json['config'], 'config')]),
    ...descriptors(json['layers'], 'layers'),
    ...descriptors(json['blobs'], 'blobs'),
  ]
  const manifests = descriptors(json['manifests'], 'manifests')
  const subject = json['subject']
  return {
    mediaType,
    blobs,
    manifests,
    ...(subject === undefined || subject === null ? {} : { subject: descriptor(subject, 'subject') }),
    ...artifactTypeOf(json),
    ...annotationsOf(json['annotations']),
  }
}

/**
 * distribution-spec §Listing Referrers: if the `artifactType` is empty or missing in the image manifest, the value of
 * `artifactType` MUST be set to the config descriptor `mediaType` value; … in an index, it MUST be omitted.
 */
function artifactTypeOf({ artifactType: own, config, manifests }: Record<string, unknown>): { artifactType?: string } {
  if (typeof own === 'string' && own !== '') return { artifactType: own }
  const type = isObject(config) && !Array.isArray(manifests) ? config['mediaType'] : undefined
  return typeof type === 'string' && type !== '' ? { artifactType: type } : {}
}

/** image-spec/annotations.md §Rules: values MUST be strings. What is none is left out. */
function annotationsOf(value: unknown): { annotations?: Record<string, string> } {
  if (!isObject(value)) return {}
  const entries = Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return entries.length === 0 ? {} : { annotations: Object.fromEntries(entries) }
}

function parseJson(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown
  try {
    value = parseBoundedJson(bytes)
  } catch (cause) {
    if (cause instanceof RangeError) throw invalid(cause.message, cause)
    throw invalid('not valid JSON in UTF-8', cause)
  }
  if (!isObject(value)) throw invalid('not a JSON object')
  return value
}

/** image-spec: `mediaType` SHOULD be set; where it is not, the shape tells an image from an index. */
function mediaTypeOf(json: Record<string, unknown>): string {
  const named = json['mediaType']
  if (typeof named === 'string' && named !== '') return checked(essence(named))
  if (named !== undefined && typeof named !== 'string') throw invalid('mediaType: not a string')
  if (Array.isArray(json['manifests'])) return OCI_IMAGE_INDEX
  if (isObject(json['config']) && Array.isArray(json['layers'])) return OCI_IMAGE_MANIFEST
  throw invalid('neither an image manifest nor an index')
}

/** The type becomes the answer's `Content-Type`: nothing that a browser would run, nothing that no header can hold. */
function checked(mediaType: string): string {
  if (!APPLICATION_TYPE.test(mediaType)) throw invalid('mediaType: not an application/… media type')
  return mediaType
}

function descriptors(value: unknown, place: string): Descriptor[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw invalid(`${place}: not a list`)
  return value.map((item, index) => descriptor(item, `${place}[${index}]`))
}

function descriptor(value: unknown, place: string): Descriptor {
  if (!isObject(value)) throw invalid(`${place}: not a descriptor`)
  const { mediaType, digest: text, size, urls, platform } = value
  const digest = typeof text === 'string' ? parseDigest(text) : undefined
  if (digest === undefined) throw invalid(`${place}.digest: not a sha256 or sha512 digest`)
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw invalid(`${place}.size: not a size in bytes`)
  if (typeof mediaType !== 'string') throw invalid(`${place}.mediaType: not a string (${formatDigest(digest)})`)
  return {
    mediaType: essence(mediaType),
    digest,
    size,
    foreign: Array.isArray(urls) && urls.length > 0 && isNonDistributable(essence(mediaType)),
    ...platformOf(platform),
  }
}

function platformOf(value: unknown): { platform?: Platform } {
  if (!isObject(value)) return {}
  const { os, architecture, variant } = value
  if (typeof os !== 'string' || typeof architecture !== 'string') return {}
  return { platform: { os, architecture, ...(typeof variant === 'string' ? { variant } : {}) } }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(reason: string, cause?: unknown): RegistryError {
  return new RegistryError('MANIFEST_INVALID', reason, { cause })
}
