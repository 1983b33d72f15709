import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../harness/command.ts'
import { environment, type Place } from './place.ts'

/** What skopeo, podman and buildah share: their configuration of registries, certificates and logins. */
export async function containersEnvironment(place: Place): Promise<Record<string, string>> {
  await mkdir(join(place.directory, '.docker'), { recursive: true })
  await writeFile(join(place.directory, '.docker/config.json'), '{}')
  const registries = join(place.directory, 'registries.conf')
  const insecure = place.ca === undefined ? place.hosts : []
  const lines = insecure.flatMap((host) => ['[[registry]]', `location = "${host}"`, 'insecure = true'])
  await writeFile(registries, `${lines.join('\n')}\n`)
  if (place.ca !== undefined) {
    for (const host of place.hosts) {
      const certificates = join(place.directory, '.config/containers/certs.d', host)
      await mkdir(certificates, { recursive: true })
      await copyFile(place.ca, join(certificates, 'ca.crt'))
    }
  }
  return { ...environment(place), CONTAINERS_REGISTRIES_CONF: registries }
}

export async function logIn(program: string, { hosts, login, ca }: Place, env: Readonly<Record<string, string>>): Promise<void> {
  if (login === undefined) return
  for (const host of hosts) await run(program, ['login', `--tls-verify=${ca !== undefined}`, '-u', login.username, '-p', login.password, host], { env })
}

/** Podman and buildah keep images in one kind of store, here without overlay mounts and apart from the machine's. */
export function storeOptions({ directory }: Place): string[] {
  return ['--root', join(directory, 'root'), '--runroot', join(directory, 'run'), '--storage-driver', 'vfs']
}
