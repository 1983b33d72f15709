import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { DiscoServer } from '../harness/disco.ts'
import { smallImage } from '../harness/images.ts'
import { RegistryClient } from '../harness/registry-client.ts'
import type { Scene } from '../harness/scene.ts'
import type { SharedImages } from './cases.ts'
import type { Bench, LocalImage } from './client.ts'
import { writeSettings, type FaceGround } from './face-settings.ts'
import type { Face } from './faces.ts'
import type { Place } from './place.ts'

const MIB = 1 << 20

/** Two Discos with one face; the second fetches from the first one's gateway. */
export class Stage {
  readonly first: DiscoServer
  readonly second: DiscoServer
  readonly #scene: Scene
  readonly #face: Face
  readonly #ground: FaceGround

  private constructor(scene: Scene, face: Face, ground: FaceGround, [first, second]: readonly [DiscoServer, DiscoServer]) {
    this.#scene = scene
    this.#face = face
    this.#ground = ground
    this.first = first
    this.second = second
  }

  static async open(scene: Scene, face: Face, ground: FaceGround): Promise<Stage> {
    const name = face.name.replaceAll(/\W+/g, '-')
    const file = await writeSettings(await scene.folder(name), face, ground)
    const options = { args: ['--config', file], tls: face.tls, env: { NODE_EXTRA_CA_CERTS: ground.certificates.ca } }
    const first = await scene.disco(`${name}-first`, options)
    const gateway = new URL(first.url)
    if (face.auth === 'htpasswd') Object.assign(gateway, ground.login)
    const second = await scene.disco(`${name}-second`, { ...options, peers: [gateway.href] })
    return new Stage(scene, face, ground, [first, second])
  }

  /** Where the client of that name works. */
  async place(name: string): Promise<Place> {
    const directory = join(this.#scene.directory, `${this.first.port}-${name}`)
    await mkdir(directory)
    return {
      directory,
      hosts: [this.first.host, this.second.host],
      ca: this.#face.tls ? this.#ground.certificates.ca : undefined,
      login: this.#face.auth === 'none' ? undefined : this.#ground.login,
    }
  }

  bench(name: string): Bench {
    let made = 0
    return {
      host: this.first.host,
      repository: (about) => `${this.first.host}/${name}/${about}`,
      registry: async (repository) => new RegistryClient(this.first.url, await this.#authorization(repository)),
      image: (architectures = ['amd64']) => makeImage(this.#scene, `${this.first.port}-${name}-image-${made++}`, architectures, [3000, 70_000]),
    }
  }

  /** For a pull of one repository. */
  async #authorization(repository: string): Promise<string | undefined> {
    const { login, tokens } = this.#ground
    switch (this.#face.auth) {
      case 'none':
      case 'own-token':
        return undefined
      case 'htpasswd':
        return `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`
      case 'token':
        return `Bearer ${await tokens.token([`repository:${repository}:pull`])}`
    }
  }
}

export async function sharedImages(scene: Scene): Promise<SharedImages> {
  return {
    layers: await makeImage(scene, 'layers', ['amd64'], Array.from({ length: 101 }, () => 500)),
    large: await makeImage(scene, 'large', ['amd64'], [64 * MIB]),
  }
}

async function makeImage(scene: Scene, seed: string, architectures: readonly string[], layers: readonly number[]): Promise<LocalImage> {
  const layout = join(scene.directory, `layout-${seed}`)
  return { layout, tag: 'small', architectures, digest: await smallImage(layout, { seed, architectures, layers }) }
}
