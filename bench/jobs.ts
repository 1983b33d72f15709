/** Media type of every image here. Distribution answers 404 to whoever does not accept it by name. */
export const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'

/** What a client process can be told to do; see client.ts. Messages between processes, so plain data only. */
export type Job = PushJob | PullJob | PaceJob | HammerJob

/** Pushes images, all at once, over one connection each. */
export interface PushJob {
  readonly kind: 'push'
  readonly port: number
  readonly images: readonly { readonly name: string; readonly tag: string; /** Bytes of each. */ readonly layers: readonly number[] }[]
}

/** Pulls an image into nothing, in `streams` streams at once, over one connection each, and one to where blobs are had instead. */
export interface PullJob {
  readonly kind: 'pull'
  readonly port: number
  readonly image: ImageReference
  readonly streams: number
  /** How often each stream pulls it, one after the other. */
  readonly times: number
  /** Hash what comes in: for the run that warms the caches, not for the one that counts. */
  readonly verify: boolean
}

/** GETs at a steady pace until told to stop. */
export interface PaceJob {
  readonly kind: 'pace'
  readonly port: number
  readonly path: string
  readonly perSecond: number
}

/** GETs as fast as they are answered. */
export interface HammerJob {
  readonly kind: 'hammer'
  readonly port: number
  readonly path: string
  readonly connections: number
  readonly seconds: number
}

export interface ImageReference {
  readonly name: string
  /** Tag or digest. */
  readonly reference: string
}

export interface Transfer {
  readonly seconds: number
  readonly bytes: number
}

export interface PushResult extends Transfer {
  /** Manifest digests in the order of the images. */
  readonly digests: readonly string[]
}

export interface PaceResult {
  readonly requests: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export interface HammerResult {
  readonly perSecond: number
}

export interface Results {
  readonly push: PushResult
  readonly pull: Transfer
  readonly pace: PaceResult
  readonly hammer: HammerResult
}

export function manifestPath({ name, reference }: ImageReference): string {
  return `/v2/${name}/manifests/${reference}`
}

export function megabytesPerSecond({ bytes, seconds }: Transfer): number {
  return bytes / 1e6 / seconds
}
