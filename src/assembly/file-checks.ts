import { readFileSync } from 'node:fs'
import { readCertificates } from '../auth/certificate-chain.ts'
import { parsePasswordFile } from '../auth/password-file.ts'
import { readBundle, readKeySet } from '../auth/token-keys.ts'
import type { FileChecks } from '../config/load.ts'
import { checkCertificate, checkKey } from '../http/tls-checks.ts'
import { parseSwarmKey } from '../ipfs/embedded/swarm-key.ts'

/**
 * What is against the files that the configuration names. Told with the rest that is wrong with it, and before anything is
 * made in the data directory; none of them quotes what is in a file.
 */
export const FILE_CHECKS: FileChecks = {
  authHtpasswdPath: checkWith(parsePasswordFile),
  authTokenRootCertBundle: checkWith(readBundle),
  authTokenJwks: checkWith(readKeySet),
  tlsCertificate: checkCertificate,
  tlsKey: (path, { tlsCertificate }) => checkKey(path, tlsCertificate),
  tlsClientCas: checkWith(readCertificates),
  swarmKey: checkWith(parseSwarmKey),
}

function checkWith(parse: (text: string) => unknown): (path: string) => void {
  return (path) => void parse(readFileSync(path, 'utf8'))
}
