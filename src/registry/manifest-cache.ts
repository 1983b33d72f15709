import { formatDigest, type Digest } from '../oci/digest.ts'
import type { StoredManifest } from './registry.ts'

/** What an entry costs beside its bytes, roughly: tiny manifests must not come to many times the capacity. */
const OVERHEAD = 512

/**
 * The manifests read last. What a digest names never changes, so nothing here can be stale; whether a repository has
 * the manifest is asked of the store every time.
 */
export class ManifestCache {
  readonly #entries = new Map<string, StoredManifest>()
  readonly #capacity: number
  #bytes = 0

  /** @param capacity bytes of memory at most */
  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get(digest: Digest): StoredManifest | undefined {
    const key = formatDigest(digest)
    const entry = this.#entries.get(key)
    if (entry !== undefined) {
      this.#entries.delete(key)
      this.#entries.set(key, entry)
    }
    return entry
  }

  add(manifest: StoredManifest): void {
    const key = formatDigest(manifest.digest)
    if (this.#entries.has(key)) return
    this.#entries.set(key, manifest)
    this.#bytes += manifest.bytes.length + OVERHEAD
    for (const [oldest, { bytes }] of this.#entries) {
      if (this.#bytes <= this.#capacity) return
      this.#entries.delete(oldest)
      this.#bytes -= bytes.length + OVERHEAD
    }
  }
}
