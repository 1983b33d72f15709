import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Place } from './place.ts'

/** Stands in the certificate. */
const NAME = 'disco.test'

/** Docker and Helm take TLS on loopback less seriously than elsewhere, so there they know the registry by a name. */
export function namedHost({ ca }: Place, text: string): string {
  return ca === undefined ? text : text.replace(/^(oci:\/\/)?127\.0\.0\.1:/, `$1${NAME}:`)
}

/** What they find in /etc, for withEtc; undefined without TLS. */
export async function etcOf({ directory, hosts, ca }: Place): Promise<string | undefined> {
  if (ca === undefined) return undefined
  const etc = join(directory, 'etc')
  for (const host of hosts) {
    const certificates = join(etc, 'docker/certs.d', host.replace('127.0.0.1', NAME))
    await mkdir(certificates, { recursive: true })
    await copyFile(ca, join(certificates, 'ca.crt'))
  }
  await writeFile(join(etc, 'hosts'), `127.0.0.1 localhost ${NAME}\n`)
  return etc
}
