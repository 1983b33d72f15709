import assert from 'node:assert/strict'
import { readFile, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { S3Options } from '../../../src/storage/bucket/s3/options.ts'
import type { DiscoOptions } from './disco.ts'
import { digestOf, hexOf, type RegistryClient } from './registry-client.ts'
import { S3Server } from './s3.ts'
import type { Scene } from './scene.ts'
import { until } from './until.ts'

const TREE = 'docker/registry/v2'

/** A cache in front of IPFS, seen from outside. */
export class CachePlace {
  /** Where its objects lie as files. */
  readonly files: string
  /** What tells a server of it. */
  readonly env: NonNullable<DiscoOptions['env']>

  constructor(files: string, env: NonNullable<DiscoOptions['env']>) {
    this.files = files
    this.env = env
  }

  static async directory(scene: Scene): Promise<CachePlace> {
    const files = await scene.folder('cache')
    return new CachePlace(files, { REGISTRY_STORAGE_IPFS_CACHE_FILESYSTEM_ROOTDIRECTORY: files })
  }

  static async bucket(scene: Scene): Promise<CachePlace> {
    const server = await S3Server.start()
    scene.atEnd(() => server.remove())
    return CachePlace.on(server, await server.bucket())
  }

  static on(server: S3Server, bucket: S3Options): CachePlace {
    const keys = Object.entries(bucket).map(([key, value]) => [`REGISTRY_STORAGE_IPFS_CACHE_S3_${key.toUpperCase()}`, String(value)])
    return new CachePlace(server.files(bucket), Object.fromEntries(keys))
  }

  /** @param path below the tree's root */
  has(path: string): Promise<boolean> {
    return stat(join(this.files, TREE, path)).then(() => true, () => false)
  }

  /** Waits for all of these, and tells which are lacking. */
  async assertHas(paths: readonly string[], timeout: number = 10_000): Promise<void> {
    const lacking = async (): Promise<string[]> => (await Promise.all(paths.map(async (path) => ((await this.has(path)) ? [] : [path])))).flat()
    await until(async () => (await lacking()).length === 0, { what: 'the cache is filled', timeout }).catch(async () => assert.deepEqual(await lacking(), []))
  }

  /** Takes what is below a path of the tree away, all by default. */
  async purge(path: string = ''): Promise<void> {
    const directory = join(this.files, TREE, path)
    for (let attempt = 1; ; attempt++) {
      try {
        return await rm(directory, { recursive: true, force: true, maxRetries: 20 })
      } catch (error) {
        // Somebody is still putting something there.
        if (attempt === 20) throw error
        await sleep(50)
      }
    }
  }

  /** Whatever blob is there has the bytes that its digest names. @returns how many there are */
  async assertRight(): Promise<number> {
    const blobs = join(this.files, TREE, 'blobs/sha256')
    const found = await readdir(blobs, { recursive: true }).catch((): string[] => [])
    const files = found.filter((path) => path.endsWith('/data'))
    const here = await Promise.all(files.map(async (path) => {
      const bytes = await readFile(join(blobs, path)).catch(() => undefined)
      if (bytes !== undefined) assert.equal(hexOf(digestOf(bytes)), path.split('/')[1], `${path} in the cache`)
      return bytes === undefined ? 0 : 1
    }))
    return here.reduce<number>((sum, each) => sum + each, 0)
  }
}

/** Below the tree's root: all of an image of one platform that both stores have. */
export async function sharedPaths(client: RegistryClient, cid: string, digest: string): Promise<string[]> {
  const { config, layers } = JSON.parse((await client.manifest(cid, 'latest')).bytes.toString()) as { config: { digest: string }; layers: { digest: string }[] }
  return pathsOf(cid, digest, [config, ...layers].map((blob) => blob.digest))
}

/** The same, where its blobs are known. */
export function pathsOf(cid: string, digest: string, blobs: readonly string[]): string[] {
  const hexes = [digest, ...blobs].map(hexOf)
  return [`repositories/${cid}`, `repositories/${hexOf(digest)}`, ...hexes.map((hex) => `blobs/sha256/${hex.slice(0, 2)}/${hex}/data`)]
}
