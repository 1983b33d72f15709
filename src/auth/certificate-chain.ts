import { X509Certificate } from 'node:crypto'

/** Certificates from a leaf to one that is trusted, at most. */
const MAX_LENGTH = 8

/**
 * The first certificate of an `x5c` header, once there is a chain from it to one of the roots.
 *
 * @param x5c base64 of DER, the leaf first, RFC 7515 §4.1.6
 * @throws Error when there is none, or one in it is not valid now
 */
export function verifiedLeaf(x5c: readonly string[], roots: readonly X509Certificate[], now: number = Date.now()): X509Certificate {
  if (x5c.length > MAX_LENGTH) throw new Error('the certificate chain is too long')
  const [leaf, ...others] = x5c.map((text) => new X509Certificate(Buffer.from(text, 'base64')))
  if (leaf === undefined) throw new Error('the certificate chain is empty')
  const isCurrent = ({ validFromDate, validToDate }: X509Certificate): boolean => now >= validFromDate.getTime() && now <= validToDate.getTime()
  // Each is tried once, whichever way leads to it: strangers send these, and may have them all vouch for each other.
  const untried = new Set(others)
  const reachesRoot = (certificate: X509Certificate): boolean => {
    untried.delete(certificate)
    if (!isCurrent(certificate)) return false
    if (roots.some((root) => root.raw.equals(certificate.raw))) return true
    const isIssuer = (issuer: X509Certificate): boolean => issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
    if (roots.some((root) => isCurrent(root) && isIssuer(root))) return true
    return others.some((other) => untried.has(other) && isIssuer(other) && reachesRoot(other))
  }
  if (!reachesRoot(leaf)) throw new Error('the certificate chain leads to none that is trusted')
  return leaf
}

/** @throws Error when there is none in the text, or one of them is damaged */
export function readCertificates(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) throw new Error('there is no PEM certificate in it')
  return blocks.map((block) => new X509Certificate(block))
}
