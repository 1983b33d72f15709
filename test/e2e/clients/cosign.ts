import assert from 'node:assert/strict'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { attempt, run } from '../harness/command.ts'
import { hexOf } from '../harness/registry-client.ts'
import { nameOf } from './cases.ts'
import type { Client, LocalImage, OwnCase, Session } from './client.ts'
import { assertInLayout } from './layout.ts'
import { environment, newDirectory, type Place } from './place.ts'

/** No transparency log, no service of Sigstore: a key in a file, and nothing but the registry is spoken to. */
const OFFLINE_SIGN = ['--key', 'cosign.key', '--tlog-upload=false', '--use-signing-config=false', '--yes']
const OFFLINE_VERIFY = ['--key', 'cosign.pub', '--insecure-ignore-tlog']

function signing(bundle: boolean): OwnCase<CosignSession> {
  const format = `--new-bundle-format=${bundle}`
  return {
    run: async (session, bench) => {
      const repository = bench.repository(bundle ? 'bundle' : 'tagged')
      const digest = await session.push(await bench.image(), `${repository}:v1`)
      const image = `${repository}@${digest}`
      assert.notEqual((await session.try('verify', ...OFFLINE_VERIFY, format, image)).code, 0, 'verified before it was signed')
      await session.cosign('sign', ...OFFLINE_SIGN, format, image)
      const [{ critical }] = JSON.parse(await session.cosign('verify', ...OFFLINE_VERIFY, format, '--output', 'json', image)) as [Payload]
      assert.equal(critical.image['docker-manifest-digest'] ?? digest, digest)
      const name = nameOf(repository)
      const registry = await bench.registry(name)
      assert.equal((await registry.tags(name))?.includes(`sha256-${hexOf(digest)}.sig`), !bundle, 'stored by tag')
      assert.equal((await registry.referrers(name, digest)).length, bundle ? 1 : 0, 'stored as a referrer')
    },
  }
}

interface Payload {
  readonly critical: { readonly image: { readonly 'docker-manifest-digest'?: string } }
}

export const cosign: Client<CosignSession> = {
  name: 'cosign',
  source: 'Go',
  version: async () => (JSON.parse(await run('cosign', ['version', '--json'])) as { gitVersion: string }).gitVersion,
  setup: 'Plain HTTP: `--allow-http-registry`. Its own CA: `--registry-cacert`, or `SSL_CERT_FILE`. `cosign login`. '
    + '`cosign load` reads back the tag that it pushed: use another than `latest`. A name that is a CID takes no signatures: set `COSIGN_REPOSITORY`.',
  cannot: { copy: 'has no such command any more', referrers: 'attaches signatures alone' },
  wayTag: 'v1',
  own: {
    'sign and verify, bundle as a referrer': signing(true),
    'sign and verify, signature by tag': signing(false),
  },
  open: async (place) => {
    const session = new CosignSession(place)
    const { hosts, login } = place
    await session.cosign('generate-key-pair')
    if (login !== undefined) {
      for (const host of hosts) await session.cosign('login', '-u', login.username, '-p', login.password, host)
    }
    return session
  },
}

class CosignSession implements Session {
  readonly #place: Place

  constructor(place: Place) {
    this.#place = place
  }

  cosign(...args: readonly string[]): Promise<string> {
    return run('cosign', args, this.#options())
  }

  try(...args: readonly string[]): ReturnType<typeof attempt> {
    return attempt('cosign', args, this.#options())
  }

  async push({ layout, digest, architectures }: LocalImage, reference: string): Promise<string> {
    const signed = await newDirectory(this.#place)
    await cp(layout, signed, { recursive: true })
    const index = JSON.parse(await readFile(join(signed, 'index.json'), 'utf8')) as { manifests: object[] }
    const kind = `dev.cosignproject.cosign/${architectures.length === 1 ? 'image' : 'imageIndex'}`
    const manifests = index.manifests.map((entry) => ({ ...entry, annotations: { kind } }))
    await writeFile(join(signed, 'index.json'), JSON.stringify({ ...index, manifests }))
    await this.cosign('load', '--dir', signed, ...this.#http(), reference)
    return digest
  }

  async pull(reference: string, digest: string): Promise<void> {
    const layout = await newDirectory(this.#place)
    await this.cosign('save', '--dir', layout, ...this.#http(), reference)
    await assertInLayout(layout, digest)
  }

  #http(): string[] {
    return this.#place.ca === undefined ? ['--allow-http-registry'] : []
  }

  #options(): { cwd: string; env: Record<string, string> } {
    return { cwd: this.#place.directory, env: { ...environment(this.#place), COSIGN_PASSWORD: '' } }
  }
}
