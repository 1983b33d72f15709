import { writeFile } from 'node:fs/promises'
import { run } from '../harness/command.ts'
import { digestInLayout } from '../harness/images.ts'
import { tellsCid } from './cases.ts'
import type { Client, CopySession, LayoutImage } from './client.ts'
import { assertInLayout } from './layout.ts'
import { environment, newDirectory, type Place } from './place.ts'

export const oras: Client<OrasSession> = {
  name: 'oras',
  source: 'Go',
  version: async () => /Version:\s+(\S+)/.exec(await run('oras', ['version']))?.[1] ?? '',
  setup: 'Plain HTTP: `--plain-http` (with `localhost` by itself; TLS there: `--plain-http=false`). Its own CA: `--ca-file`, or `SSL_CERT_FILE`. `oras login`.',
  cannot: {},
  own: { 'prints the CID at a push': tellsCid },
  open: async (place) => {
    const session = new OrasSession(place)
    const { hosts, login } = place
    if (login !== undefined) {
      for (const host of hosts) await session.oras(['login', '-u', login.username, '-p', login.password, session.plain('--plain-http'), host])
    }
    return session
  },
}

class OrasSession implements CopySession {
  readonly #place: Place

  constructor(place: Place) {
    this.#place = place
  }

  /** It sends no password to a token server on loopback, unless that has the registry's name: `localhost` both. */
  oras(args: readonly string[], both = false): Promise<string> {
    const named = args.map((arg) => arg.replace(/^127\.0\.0\.1:/, 'localhost:'))
    return run('oras', named, { env: environment(this.#place), cwd: this.#place.directory, both })
  }

  plain(option: string): string {
    return `${option}=${this.#place.ca === undefined}`
  }

  async push({ layout, tag }: LayoutImage, reference: string): Promise<string> {
    await this.told({ layout, tag }, reference)
    return digestInLayout(layout, tag)
  }

  told({ layout, tag }: LayoutImage, reference: string): Promise<string> {
    return this.oras(['cp', '-r', '--no-tty', '--from-oci-layout', this.plain('--to-plain-http'), `${layout}:${tag}`, reference], true)
  }

  async pull(reference: string, digest: string): Promise<void> {
    const layout = await newDirectory(this.#place)
    await this.oras(['cp', '-r', '--no-tty', '--to-oci-layout', this.plain('--from-plain-http'), reference, `${layout}:pulled`])
    await assertInLayout(layout, digest)
  }

  async tags(repository: string): Promise<string[]> {
    return (await this.oras(['repo', 'tags', this.plain('--plain-http'), repository])).split('\n')
  }

  async copy(from: string, to: string): Promise<void> {
    await this.oras(['cp', '-r', '--no-tty', this.plain('--from-plain-http'), this.plain('--to-plain-http'), from, to])
  }

  async attach(subject: string): Promise<string> {
    const directory = await newDirectory(this.#place)
    await writeFile(`${directory}/sbom`, subject)
    const type = ['--artifact-type', 'application/vnd.example.sbom', '--disable-path-validation', '--no-tty']
    const said = await this.oras(['attach', this.plain('--plain-http'), ...type, '--format', 'json', subject, `${directory}/sbom:text/plain`])
    return (JSON.parse(said) as { digest: string }).digest
  }

  async attached(subject: string): Promise<string[]> {
    const found = await this.oras(['discover', this.plain('--plain-http'), '--format', 'json', subject])
    return (JSON.parse(found) as { referrers: { digest: string }[] }).referrers.map(({ digest }) => digest)
  }
}
