import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { run } from '../harness/command.ts'
import { withEtc } from '../harness/etc.ts'
import type { Client, LocalImage, Session } from './client.ts'
import { etcOf, namedHost } from './named-host.ts'
import { environment, newDirectory, type Place } from './place.ts'

const NOT_IMAGES = 'pushes charts alone'

export const helm: Client<HelmSession> = {
  name: 'helm',
  source: 'Go',
  version: async () => /mod\s+helm\.sh\/helm\/v3\s+(\S+)/.exec(await run('sh', ['-c', 'go version -m "$(command -v helm)"']))?.[1] ?? '',
  setup: 'Plain HTTP: `--plain-http`; with `localhost` by itself, so TLS wants another name. Its own CA: `--ca-file`, or `SSL_CERT_FILE`. `helm registry login`. '
    + 'A CID wants the digest too: `helm pull oci://<host>/<CID>@sha256:<digest>`.',
  cannot: { image: NOT_IMAGES, index: NOT_IMAGES, layers: NOT_IMAGES, large: NOT_IMAGES, copy: 'has no such command', referrers: NOT_IMAGES },
  pullsCidBy: 'digest',
  own: {
    'charts by version and digest': {
      run: async (session, bench) => {
        const repository = bench.repository('chart')
        const digest = await session.push(await bench.image(), `${repository}:1.2.3`)
        await session.pull(`${repository}:1.2.3`, digest)
        await session.pull(`${repository}@${digest}`, digest)
      },
    },
  },
  open: async (place) => {
    const session = new HelmSession(place, await etcOf(place))
    const { hosts, login } = place
    if (login !== undefined) {
      for (const host of hosts) await session.helm('registry', 'login', '-u', login.username, '-p', login.password, host)
    }
    return session
  },
}

class HelmSession implements Session {
  readonly #place: Place
  /** What was packed, by the digest that it got. */
  readonly #charts = new Map<string, Buffer>()

  readonly #etc: string | undefined

  constructor(place: Place, etc: string | undefined) {
    this.#place = place
    this.#etc = etc
  }

  /** What it says on both outputs. */
  helm(...args: readonly string[]): Promise<string> {
    const named = args.map((arg) => namedHost(this.#place, arg))
    return run(...withEtc(this.#etc, 'helm', named), { env: environment(this.#place), both: true })
  }

  /** Pushes a chart that is named as the repository is, and differs as the images do. */
  async push({ digest: seed }: LocalImage, reference: string): Promise<string> {
    const [, parent = '', name = '', tag = ''] = /^(.*)\/([^/]+):([^:/]+)$/.exec(reference) ?? []
    const version = tag === 'latest' ? '1.0.0' : tag
    const directory = await newDirectory(this.#place)
    await mkdir(join(directory, name, 'templates'), { recursive: true })
    await writeFile(join(directory, name, 'Chart.yaml'), `apiVersion: v2\nname: ${name}\nversion: ${version}\n`)
    await writeFile(join(directory, name, 'values.yaml'), `seed: ${seed}\n`)
    await this.helm('package', '-d', directory, join(directory, name))
    const packed = join(directory, `${name}-${version}.tgz`)
    const said = await this.helm('push', packed, `oci://${parent}`, ...this.#http())
    const digest = /Digest: (sha256:[0-9a-f]{64})/.exec(said)?.[1] ?? assert.fail(`helm push told no digest:\n${said}`)
    this.#charts.set(digest, await readFile(packed))
    return digest
  }

  async pull(reference: string, digest: string): Promise<void> {
    const directory = await newDirectory(this.#place)
    const [, repository = '', version] = /^(.*?)(?::([^:/]+))?$/.exec(reference) ?? []
    const chosen = reference.includes('@') ? [`oci://${reference}`] : [`oci://${repository}`, '--version', version ?? '']
    await this.helm('pull', '-d', directory, ...chosen, ...this.#http())
    const [file = ''] = await readdir(directory)
    const pulled = await readFile(join(directory, file))
    assert.ok(this.#charts.get(digest)?.equals(pulled), `${basename(file)} is what was packed`)
  }

  #http(): string[] {
    return this.#place.ca === undefined ? ['--plain-http'] : []
  }
}
