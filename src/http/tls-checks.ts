import { readFileSync } from 'node:fs'
import { createSecureContext, type SecureContextOptions } from 'node:tls'

/** @throws Error when the file can't be read or used */
export function checkCertificate(path: string): void {
  checkTls({ cert: readFileSync(path) }, 'it is no certificate in PEM')
}

/** @throws Error when the file can't be read or used, or belongs to another certificate */
export function checkKey(path: string, certificate: string | undefined): void {
  const key = readFileSync(path)
  checkTls({ key }, 'it is no private key in PEM that can be read without a password')
  const cert = certificate === undefined ? undefined : usableCertificate(certificate)
  if (cert !== undefined) checkTls({ cert, key }, `it is not the key of the certificate ${certificate}`)
}

/** Undefined where it is told already what is wrong with it. */
function usableCertificate(path: string): Buffer | undefined {
  try {
    const cert = readFileSync(path)
    createSecureContext({ cert })
    return cert
  } catch {
    return undefined
  }
}

function checkTls(context: SecureContextOptions, fault: string): void {
  try {
    createSecureContext(context)
  } catch (cause) {
    throw new Error(`${fault}: ${(cause as Error).message}`, { cause })
  }
}
