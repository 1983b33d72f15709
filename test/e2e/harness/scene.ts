import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startDisco, type DiscoOptions, type DiscoServer } from './disco.ts'
import { startDocker, type Docker } from './docker.ts'
import { Kubo, type KuboOptions } from './kubo.ts'
import { run } from './command.ts'

/** What a suite starts and writes; `end` stops and removes all of it, the last started first. */
export class Scene {
  readonly directory: string
  readonly #ends: (() => Promise<void>)[] = []

  private constructor(directory: string) {
    this.directory = directory
  }

  static async begin(): Promise<Scene> {
    return new Scene(await mkdtemp(join(process.env['DISCO_TEST_SCRATCH'] ?? tmpdir(), 'disco-e2e-')))
  }

  /** A new empty directory. */
  async folder(name: string): Promise<string> {
    const path = join(this.directory, name)
    await mkdir(path)
    return path
  }

  /** Starts a server; `name` is its data directory's, new or used before. */
  async disco(name: string, options: Omit<DiscoOptions, 'data'> = {}): Promise<DiscoServer> {
    const data = join(this.directory, name)
    await mkdir(data, { recursive: true })
    const server = await startDisco({ ...options, data })
    this.#ends.push(async () => {
      await server.kill()
      // What a server calls an error explains a test that failed.
      for (const line of server.log().split('\n')) if (/"level":(?:5|6)0/.test(line)) console.error(`${name}: ${line}`)
    })
    return server
  }

  async docker(): Promise<Docker> {
    const docker = await startDocker()
    this.#ends.push(() => docker.stop())
    return docker
  }

  async kubo(options: KuboOptions = {}): Promise<Kubo> {
    const kubo = await Kubo.start(options)
    this.#ends.push(() => kubo.remove())
    return kubo
  }

  /** Loads an image of an OCI layout into a daemon, under a name with its tag. */
  async load(docker: Docker, layout: string, tag: string, name: string): Promise<void> {
    const archive = join(this.directory, 'archive.tar')
    await run('skopeo', ['copy', '-q', `oci:${layout}:${tag}`, `docker-archive:${archive}:${name}`])
    await docker.docker('load', '-q', '-i', archive)
    await rm(archive)
  }

  /** What `end` shall do too: after it has stopped all that was started later. */
  atEnd(work: () => Promise<void>): void {
    this.#ends.push(work)
  }

  async end(): Promise<void> {
    for (const end of this.#ends.reverse()) await end()
    await rm(this.directory, { recursive: true, force: true })
  }
}
