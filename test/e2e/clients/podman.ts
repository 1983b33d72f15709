import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { run } from '../harness/command.ts'
import type { Client, LocalImage, Session } from './client.ts'
import { containersEnvironment, logIn, storeOptions } from './containers.ts'
import { ociArchive } from './layout.ts'
import { newDirectory, type Place } from './place.ts'

export const podman: Client<StoreSession> = {
  name: 'podman',
  source: 'Debian',
  version: async () => (await run('podman', ['--version'])).replace('podman version ', ''),
  setup: 'Plain HTTP: `--tls-verify=false`, or `insecure = true` in `registries.conf`. Its own CA: '
    + '`/etc/containers/certs.d/<host>:<port>/ca.crt`. `podman login`. An index: `podman manifest push --all`.',
  cannot: { copy: 'copies through its store', referrers: 'knows no referrers' },
  own: {
    '`pull -a`': {
      run: async (session, bench) => {
        const repository = bench.repository('all')
        const digests = [await session.push(await bench.image(), `${repository}:a`), await session.push(await bench.image(), `${repository}:b`)]
        await session.forget()
        await session.command('pull', '-q', '-a', repository)
        assert.deepEqual((await session.digests()).sort(), digests.sort())
      },
    },
  },
  open: (place) => StoreSession.open('podman', place, ['--cgroup-manager', 'cgroupfs', '--tmpdir', join(place.directory, 'tmp')]),
}

export const buildah: Client<StoreSession> = {
  name: 'buildah',
  source: 'Debian',
  version: async () => (await run('buildah', ['--version'])).split(' ')[2] ?? '',
  setup: 'As podman; `buildah login`, `buildah manifest push --all`.',
  cannot: { copy: 'copies through its store', referrers: 'knows no referrers' },
  open: (place) => StoreSession.open('buildah', place, []),
}

/** Podman or buildah with a store of its own. */
class StoreSession implements Session {
  readonly #program: string
  readonly #place: Place
  readonly #options: readonly string[]
  readonly #env: Readonly<Record<string, string>>

  private constructor(program: string, place: Place, options: readonly string[], env: Readonly<Record<string, string>>) {
    this.#program = program
    this.#place = place
    this.#options = [...storeOptions(place), ...options]
    this.#env = env
  }

  static async open(program: string, place: Place, options: readonly string[]): Promise<StoreSession> {
    const env = await containersEnvironment(place)
    const session = new StoreSession(program, place, options, env)
    await logIn(program, place, env)
    return session
  }

  command(...args: readonly string[]): Promise<string> {
    return run(this.#program, [...this.#options, ...args], { env: this.#env })
  }

  /** Removes all images, so that the next pull has nothing to build on. */
  async forget(): Promise<void> {
    await this.command('rmi', '-af')
  }

  async push(image: LocalImage, reference: string): Promise<string> {
    const directory = await newDirectory(this.#place)
    const digestFile = join(directory, 'digest')
    // Of an insecure registry, buildah's `manifest push` learns from its flag alone, and fails without a word.
    const pushed = ['-q', `--tls-verify=${this.#place.ca !== undefined}`, '--digestfile', digestFile]
    if (image.architectures.length === 1) {
      const id = await this.command('pull', '-q', `oci-archive:${await ociArchive(this.#place, image, reference)}`)
      await this.command('push', ...pushed, id, `docker://${reference}`)
    } else {
      const list = basename(directory).toLowerCase()
      await this.command('manifest', 'create', list)
      await this.command('manifest', 'add', '--all', list, `oci:${image.layout}:${image.tag}`)
      await this.command('manifest', 'push', '--all', ...pushed, list, `docker://${reference}`)
    }
    return readFile(digestFile, 'utf8')
  }

  async pull(reference: string, digest: string): Promise<void> {
    await this.forget()
    await this.command('pull', '-q', reference)
    assert.deepEqual(await this.digests(), [digest])
  }

  async digests(): Promise<string[]> {
    return (await this.command('images', '--format', '{{.Digest}}')).split('\n')
  }

  async close(): Promise<void> {
    await this.forget()
  }
}
