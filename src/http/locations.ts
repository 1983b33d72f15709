/** Paths, not URLs: a client resolves them against the address that it used, whatever proxies stand in between. */
export function blobLocation(name: string, digest: string): string {
  return `/v2/${name}/blobs/${digest}`
}

export function manifestLocation(name: string, reference: string): string {
  return `/v2/${name}/manifests/${reference}`
}

export function uploadLocation(name: string, id: string): string {
  return `/v2/${name}/blobs/uploads/${id}`
}

export function referrersLocation(name: string, digest: string): string {
  return `/v2/${name}/referrers/${digest}`
}
