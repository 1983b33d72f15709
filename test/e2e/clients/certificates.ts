import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { run } from '../harness/command.ts'

export interface Certificates {
  /** Files, PEM. */
  readonly ca: string
  readonly certificate: string
  readonly key: string
}

/** Makes a CA and a server's certificate for loopback; this process trusts the CA from then on. */
export async function makeCertificates(directory: string): Promise<Certificates> {
  const [ca, caKey, certificate, key] = ['ca.pem', 'ca-key.pem', 'server.pem', 'server-key.pem'].map((name) => join(directory, name)) as [string, string, string, string]
  const fresh = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const names = 'subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:disco.test'
  await run('openssl', [...fresh, '-subj', '/CN=Disco test CA', '-keyout', caKey, '-out', ca])
  const leaf = ['-addext', names, '-addext', 'basicConstraints=critical,CA:FALSE', '-CA', ca, '-CAkey', caKey]
  await run('openssl', [...fresh, '-subj', '/CN=127.0.0.1', ...leaf, '-keyout', key, '-out', certificate])
  setDefaultCACertificates([...getCACertificates('default'), await readFile(ca, 'utf8')])
  return { ca, certificate, key }
}
