import assert from 'node:assert/strict'
import { join } from 'node:path'
import { run } from '../harness/command.ts'
import { dockerPush, startDocker, type Docker } from '../harness/docker.ts'
import type { Client, LocalImage, OwnCase, Session } from './client.ts'
import { ociArchive } from './layout.ts'
import { etcOf, namedHost } from './named-host.ts'
import { newDirectory, type Place } from './place.ts'

const SETUP = 'Plain HTTP on localhost by itself, elsewhere with `insecure-registries` in `daemon.json`. '
  + 'Its own CA: `/etc/docker/certs.d/<host>:<port>/ca.crt`. `docker login`.'
const CANNOT = { copy: 'copies through its store', referrers: 'knows no referrers' }

const allTags: OwnCase<DockerSession> = {
  run: async (session, bench) => {
    const repository = bench.repository('all')
    const images = await Promise.all(['a', 'b', 'c'].map(async (tag) => ({ tag, image: await bench.image() })))
    for (const { tag, image } of images) await session.load(image, `${repository}:${tag}`)
    await session.docker('push', '-a', repository)
    const pushed = new Map<string, string>()
    for (const { tag } of images) pushed.set(tag, await session.digestOf(`${repository}:${tag}`))
    await session.forget()
    await session.docker('pull', '-q', '-a', repository)
    for (const [tag, digest] of pushed) assert.equal(await session.digestOf(`${repository}:${tag}`), digest)
  },
}

export const dockerClassic: Client<DockerSession> = {
  name: 'Docker, classic store',
  source: 'Debian',
  version: async () => (await run('dockerd', ['--version'])).split(' ')[2]?.replace(',', '') ?? '',
  setup: SETUP,
  cannot: { ...CANNOT, index: 'its store holds one platform; it pulls its own out of an index' },
  own: { '`push -a`, `pull -a`': allTags },
  open: (place) => DockerSession.open(place, 'classic'),
}

export const dockerContainerd: Client<DockerSession> = {
  name: 'Docker, containerd store',
  source: 'Go',
  version: async () => /mod\s+github\.com\/moby\/moby\/v2\s+(\S+)/.exec(await run('sh', ['-c', 'go version -m "$(command -v moby-dockerd)"']))?.[1] ?? '',
  setup: SETUP,
  cannot: CANNOT,
  own: { '`push -a`, `pull -a`': allTags },
  open: (place) => DockerSession.open(place, 'containerd'),
}

/** A daemon of its own. */
class DockerSession implements Session {
  readonly #daemon: Docker
  readonly #place: Place
  readonly #store: 'classic' | 'containerd'

  private constructor(daemon: Docker, place: Place, store: 'classic' | 'containerd') {
    this.#daemon = daemon
    this.#place = place
    this.#store = store
  }

  static async open(place: Place, store: 'classic' | 'containerd'): Promise<DockerSession> {
    const session = new DockerSession(await startDocker({ store, etc: await etcOf(place) }), place, store)
    const { hosts, login } = place
    if (login !== undefined) {
      for (const host of hosts) await session.docker('login', '-u', login.username, '-p', login.password, host)
    }
    return session
  }

  docker(...args: readonly string[]): Promise<string> {
    return this.#daemon.docker(...args.map((arg) => namedHost(this.#place, arg)))
  }

  /** Removes all images, so that the next pull has nothing to build on. */
  async forget(): Promise<void> {
    await this.docker('image', 'prune', '-af')
  }

  async load(image: LocalImage, reference: string): Promise<void> {
    const archive = this.#store === 'classic' ? dockerArchive : ociArchive
    await this.docker('load', '-q', '-i', await archive(this.#place, image, namedHost(this.#place, reference)))
  }

  async push(image: LocalImage, reference: string): Promise<string> {
    await this.load(image, reference)
    return dockerPush(this.#daemon, namedHost(this.#place, reference))
  }

  async pull(reference: string, digest: string): Promise<void> {
    await this.forget()
    await this.docker('pull', '-q', reference)
    assert.equal(await this.digestOf(reference), digest)
  }

  async digestOf(reference: string): Promise<string> {
    const known = JSON.parse(await this.docker('inspect', '--format', '{{json .RepoDigests}}', reference)) as string[]
    const repository = namedHost(this.#place, reference).replace(/(@.*|:[^:/]*)$/, '')
    return known.find((name) => name.startsWith(`${repository}@`))?.slice(repository.length + 1) ?? assert.fail(`${reference}: ${known.join()}`)
  }

  /** As the users of the original Disco learn a CID. */
  async tags(repository: string): Promise<string[]> {
    const said = await this.docker('pull', '-a', repository)
    return [...said.matchAll(/^(\S+): Pulling from /gm)].map(([, tag = '']) => tag)
  }

  close(): Promise<void> {
    return this.#daemon.stop()
  }
}

async function dockerArchive(place: Place, { layout, tag }: LocalImage, name: string): Promise<string> {
  const archive = join(await newDirectory(place), 'archive')
  await run('skopeo', ['copy', '-q', `oci:${layout}:${tag}`, `docker-archive:${archive}:${name}`])
  return archive
}
