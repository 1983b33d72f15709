import { run } from '../harness/command.ts'
import { digestInLayout } from '../harness/images.ts'
import type { Client, CopySession, LayoutImage } from './client.ts'
import { containersEnvironment, logIn } from './containers.ts'
import { assertInLayout } from './layout.ts'
import { newDirectory, type Place } from './place.ts'

export const skopeo: Client<CopySession> = {
  name: 'skopeo',
  source: 'Debian',
  version: async () => (await run('skopeo', ['--version'])).replace('skopeo version ', ''),
  setup: 'Plain HTTP: `--src-tls-verify=false`, `--dest-tls-verify=false`, or `insecure = true` in `registries.conf`. '
    + 'Its own CA: `/etc/containers/certs.d/<host>:<port>/ca.crt`. `skopeo login`. `--all --preserve-digests` keeps an index and its digest.',
  cannot: { referrers: 'knows no referrers' },
  open: async (place) => {
    const session = new SkopeoSession(place, await containersEnvironment(place))
    await logIn('skopeo', place, session.env)
    return session
  },
}

class SkopeoSession implements CopySession {
  readonly #place: Place
  readonly env: Readonly<Record<string, string>>

  constructor(place: Place, env: Readonly<Record<string, string>>) {
    this.#place = place
    this.env = env
  }

  async push({ layout, tag }: LayoutImage, reference: string): Promise<string> {
    await this.#copy(`oci:${layout}:${tag}`, `docker://${reference}`)
    return digestInLayout(layout, tag)
  }

  async pull(reference: string, digest: string): Promise<void> {
    const layout = await newDirectory(this.#place)
    await this.#copy(`docker://${reference}`, `oci:${layout}:pulled`)
    await assertInLayout(layout, digest)
  }

  async tags(repository: string): Promise<string[]> {
    const listed = await run('skopeo', ['list-tags', this.#tls(), `docker://${repository}`], { env: this.env })
    return (JSON.parse(listed) as { Tags: string[] }).Tags
  }

  copy(from: string, to: string): Promise<void> {
    return this.#copy(`docker://${from}`, `docker://${to}`)
  }

  async #copy(from: string, to: string): Promise<void> {
    await run('skopeo', ['copy', '-q', '--all', '--preserve-digests', this.#tls('src'), this.#tls('dest'), from, to], { env: this.env })
  }

  #tls(side?: 'src' | 'dest'): string {
    return `--${side === undefined ? '' : `${side}-`}tls-verify=${this.#place.ca !== undefined}`
  }
}
