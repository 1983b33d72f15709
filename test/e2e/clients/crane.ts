import assert from 'node:assert/strict'
import { run } from '../harness/command.ts'
import { digestInLayout } from '../harness/images.ts'
import { tellsCid } from './cases.ts'
import type { Client, CopySession, LayoutImage } from './client.ts'
import { assertInLayout } from './layout.ts'
import { environment, newDirectory, type Place } from './place.ts'

export const crane: Client<CraneSession> = {
  name: 'crane',
  source: 'Go',
  version: () => run('crane', ['version']),
  setup: 'Plain HTTP on localhost by itself, elsewhere with `--insecure`. Its own CA: `SSL_CERT_FILE`. `crane auth login`.',
  cannot: { referrers: 'pushes none' },
  own: {
    'prints the CID at a push': tellsCid,
    '`copy --all-tags`': {
      run: async (session, bench) => {
        const [from, to] = [bench.repository('all'), bench.repository('all-copied')]
        const digests = new Map<string, string>()
        for (const tag of ['a', 'b', 'c']) digests.set(tag, await session.push(await bench.image(), `${from}:${tag}`))
        await session.crane('copy', '--all-tags', from, to)
        assert.deepEqual((await session.tags(to)).sort(), [...digests.keys()])
        for (const [tag, digest] of digests) await session.pull(`${to}:${tag}`, digest)
      },
    },
  },
  open: async (place) => {
    const session = new CraneSession(place)
    const { hosts, login } = place
    if (login !== undefined) {
      for (const host of hosts) await session.crane('auth', 'login', '-u', login.username, '-p', login.password, host)
    }
    return session
  },
}

class CraneSession implements CopySession {
  readonly #place: Place

  constructor(place: Place) {
    this.#place = place
  }

  crane(...args: readonly string[]): Promise<string> {
    return run('crane', args, { env: environment(this.#place) })
  }

  async push({ layout, tag }: LayoutImage, reference: string): Promise<string> {
    await this.told({ layout, tag }, reference)
    return digestInLayout(layout, tag)
  }

  told({ layout }: LayoutImage, reference: string): Promise<string> {
    return run('crane', ['push', layout, reference], { env: environment(this.#place), both: true })
  }

  async pull(reference: string, digest: string): Promise<void> {
    const layout = await newDirectory(this.#place)
    await this.crane('pull', '--format', 'oci', reference, layout)
    await assertInLayout(layout, digest)
  }

  async tags(repository: string): Promise<string[]> {
    return (await this.crane('ls', repository)).split('\n')
  }

  async copy(from: string, to: string): Promise<void> {
    await this.crane('copy', from, to)
  }
}
