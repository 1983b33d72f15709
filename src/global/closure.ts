import { formatDigest, type Digest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { parseManifest, type Descriptor } from '../oci/manifest.ts'
import { referrerOf, type Referrer } from '../oci/referrer.ts'
import {
  MAX_DEPTH, MAX_MANIFEST_BYTES, MAX_MANIFESTS_BYTES, MAX_REFERENCES, tooDeep, tooManyManifestBytes, tooManyReferences,
} from '../registry/limits.ts'
import { inParallel } from '../storage/parallel.ts'

const LOADED_AT_ONCE = 4

/** One object of an image, by its digest. */
export interface ClosureEntry {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  /** It is the image's manifest or a child of an index … */
  manifest: boolean
  /** … and, or, a config or a layer. */
  blob: boolean
  /** Of a manifest that has a subject: how the list of the subject's referrers shows it. */
  refers?: { readonly subject: Digest; readonly as: Referrer }
}

/** All that an image consists of, first mention first: a manifest, its config, its layers; an index, then each child so. Foreign layers are not of it. */
export type Closure = readonly ClosureEntry[]

export interface Root {
  readonly digest: Digest
  readonly bytes: Uint8Array
}

/** Gives a child manifest, its digest and size verified. */
export type LoadManifest = (descriptor: Descriptor) => Promise<Uint8Array>

/** @throws RegistryError MANIFEST_INVALID where the image contradicts itself or is too large; whatever `load` throws */
export async function closureOf(root: Root, load: LoadManifest): Promise<Closure> {
  const entries = new Map<string, ClosureEntry>()
  let manifestBytes = 0
  let manifestCount = 0

  const mention = ({ digest, size }: Pick<Descriptor, 'digest' | 'size'>, as: 'manifest' | 'blob'): boolean => {
    const key = formatDigest(digest)
    const entry = entries.get(key) ?? { digest, size, manifest: false, blob: false }
    if (entry.size !== size) throw invalid(`${key} has two sizes, ${entry.size} and ${size} bytes`)
    const first = !entry[as]
    entry[as] = true
    entries.set(key, entry)
    if (entries.size > MAX_REFERENCES) throw tooManyReferences()
    return first
  }

  const visit = async ({ digest, bytes }: Root, depth: number): Promise<void> => {
    const manifest = parseManifest(bytes)
    const entry = entries.get(formatDigest(digest))
    if (entry !== undefined && manifest.subject !== undefined) {
      entry.refers = { subject: manifest.subject.digest, as: referrerOf(manifest, digest, bytes.byteLength) }
    }
    for (const blob of manifest.blobs) if (!blob.foreign) mention(blob, 'blob')
    if (manifest.manifests.length === 0) return
    if (depth === MAX_DEPTH) throw tooDeep()
    const children = await loadNew(manifest.manifests)
    for (const child of manifest.manifests) {
      const bytes = children.get(formatDigest(child.digest))
      if (mention(child, 'manifest') && bytes !== undefined) await visit({ digest: child.digest, bytes }, depth + 1)
    }
  }

  const loadNew = async (descriptors: readonly Descriptor[]): Promise<Map<string, Uint8Array>> => {
    const wanted = new Map(descriptors.map((child) => [formatDigest(child.digest), child]))
    for (const [key, child] of wanted) {
      if (entries.get(key)?.manifest === true) wanted.delete(key)
      else count(child.size)
    }
    return new Map(await inParallel([...wanted], LOADED_AT_ONCE, async ([key, child]) => [key, await load(child)] as const))
  }

  const count = (size: number): void => {
    manifestBytes += size
    manifestCount += 1
    if (manifestCount > MAX_REFERENCES) throw tooManyReferences()
    if (size > MAX_MANIFEST_BYTES) throw invalid(`a manifest of more than ${MAX_MANIFEST_BYTES} bytes`)
    if (manifestBytes > MAX_MANIFESTS_BYTES) throw tooManyManifestBytes()
  }

  count(root.bytes.byteLength)
  mention({ digest: root.digest, size: root.bytes.byteLength }, 'manifest')
  await visit(root, 0)
  return [...entries.values()]
}

function invalid(reason: string): RegistryError {
  return new RegistryError('MANIFEST_INVALID', reason)
}
