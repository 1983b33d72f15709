// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 wants it to be there
import 'reflect-metadata'
import { createPrivateKey, webcrypto, type KeyObject } from 'node:crypto'
import { BasicConstraintsExtension, X509CertificateGenerator, type X509Certificate } from '@peculiar/x509'

/** A certificate with its key. */
export interface Certified {
  readonly pem: string
  /** Base64 of DER, as in `x5c`. */
  readonly x5c: string
  readonly privateKey: KeyObject
  readonly certificate: X509Certificate
  readonly keys: webcrypto.CryptoKeyPair
}

export interface CertificateOptions {
  /** @default itself */
  readonly issuer?: Certified
  /** @default false */
  readonly ca?: boolean
  /** @default tomorrow */
  readonly until?: Date
  /** @default new ones */
  readonly keys?: webcrypto.CryptoKeyPair
  /** @default ECDSA with P-256 */
  readonly algorithm?: webcrypto.EcKeyGenParams | webcrypto.RsaHashedKeyGenParams | { name: 'Ed25519' }
}

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256' }
const DAY = 24 * 3600_000
let serial = 1

export async function certify(name: string, options: CertificateOptions = {}): Promise<Certified> {
  const { issuer, ca = false, until = new Date(Date.now() + DAY), algorithm = ECDSA } = options
  const keys = options.keys ?? ((await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair)
  const common = {
    serialNumber: (serial++).toString(16).padStart(2, '0'),
    notBefore: new Date(Math.min(Date.now(), until.getTime()) - DAY),
    notAfter: until,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256', ...(algorithm === ECDSA ? {} : algorithm) },
    extensions: [new BasicConstraintsExtension(ca, undefined, true)],
  }
  const certificate =
    issuer === undefined
      ? await X509CertificateGenerator.createSelfSigned({ ...common, name: `CN=${name}`, keys })
      : await X509CertificateGenerator.create(
          { ...common, signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' }, subject: `CN=${name}`, issuer: issuer.certificate.subject, publicKey: keys.publicKey, signingKey: issuer.keys.privateKey },
        )
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey))
  const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  return { pem: certificate.toString('pem'), x5c: Buffer.from(certificate.rawData).toString('base64'), privateKey, certificate, keys }
}
