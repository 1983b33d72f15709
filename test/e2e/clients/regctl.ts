import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../harness/command.ts'
import { digestInLayout } from '../harness/images.ts'
import { tellsCid } from './cases.ts'
import type { Client, CopySession, LayoutImage } from './client.ts'
import { assertInLayout } from './layout.ts'
import { environment, newDirectory, type Place } from './place.ts'

export const regctl: Client<RegctlSession> = {
  name: 'regctl',
  source: 'Go',
  version: () => run('regctl', ['version', '--format', '{{.VCSTag}}']),
  setup: 'Plain HTTP: `regctl registry set --tls disabled <host>:<port>`, or `--host reg=<host>:<port>,tls=disabled` at a command. '
    + 'Its own CA: `regctl registry set --cacert`, or `SSL_CERT_FILE`. `regctl registry login`.',
  cannot: {},
  own: { 'prints the CID at a push': tellsCid },
  open: async (place) => {
    const session = new RegctlSession(place)
    const { hosts, login } = place
    if (login !== undefined) {
      for (const host of hosts) await session.regctl([host], 'registry', 'login', '-u', login.username, '-p', login.password, host)
    }
    return session
  },
}

class RegctlSession implements CopySession {
  readonly #place: Place

  constructor(place: Place) {
    this.#place = place
  }

  /** @param places whatever stands in a command in the place of a registry's name */
  regctl(places: readonly string[], ...args: readonly string[]): Promise<string> {
    return run('regctl', [...this.#plain(places), ...args], { env: environment(this.#place) })
  }

  #plain(places: readonly string[]): string[] {
    if (this.#place.ca !== undefined) return []
    const registries = places.filter((place) => !place.startsWith('ocidir:')).map((place) => place.split('/', 1)[0])
    return registries.flatMap((registry) => ['--host', `reg=${registry},tls=disabled`])
  }

  async push({ layout, tag }: LayoutImage, reference: string): Promise<string> {
    await this.told({ layout, tag }, reference)
    return digestInLayout(layout, tag)
  }

  told({ layout, tag }: LayoutImage, reference: string): Promise<string> {
    const args = [...this.#plain([reference]), 'image', 'copy', `ocidir://${layout}:${tag}`, reference]
    return run('regctl', args, { env: environment(this.#place), both: true })
  }

  async pull(reference: string, digest: string): Promise<void> {
    const layout = await newDirectory(this.#place)
    await this.copy(reference, `ocidir://${layout}:pulled`)
    await assertInLayout(layout, digest)
  }

  async tags(repository: string): Promise<string[]> {
    return (await this.regctl([repository], 'tag', 'ls', repository)).split('\n')
  }

  async copy(from: string, to: string): Promise<void> {
    await this.regctl([from, to], 'image', 'copy', from, to)
  }

  async attach(subject: string): Promise<string> {
    const file = join(await newDirectory(this.#place), 'sbom')
    await writeFile(file, subject)
    const type = ['--artifact-type', 'application/vnd.example.sbom', '--file-media-type', 'text/plain']
    const told = ['--format', '{{.Manifest.GetDescriptor.Digest}}']
    return this.regctl([subject], 'artifact', 'put', '--subject', subject, ...type, '-f', file, ...told)
  }

  async attached(subject: string): Promise<string[]> {
    const format = '{{range .Descriptors}}{{println .Digest}}{{end}}'
    return (await this.regctl([subject], 'artifact', 'list', subject, '--format', format)).split('\n')
  }
}
