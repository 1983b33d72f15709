import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { completeConfig } from '../../src/config/load.ts'
import { configAsJson, configAsYaml } from '../../src/config/print.ts'
import { CONFIG_CHECKS } from '../../src/disco.ts'
import { Loader } from './harness.ts'

/** As the original Disco's file has it. */
const CACHED = `storage:
  ipfs:
    router:
      nodes:
        - url: http://localhost:5051
        - url: http://localhost:5052
    cache:
      filesystem:
        rootdirectory: /srv/cache
    redirect: https://cdn.example.com/images
disco:
  noclone: true
`
const ONLY = 'storage:\n  ipfs:\n    cacheonly: true\n    cache:\n      filesystem:\n        rootdirectory: /srv/cache\n'
const MIB = 2 ** 20

describe('a cache in the configuration', () => {
  let loader: Loader
  before(async () => {
    loader = await Loader.create()
  })
  after(() => loader.remove())

  it('is read as the original Disco writes it', async () => {
    const { config, warnings } = await loader.load(CACHED)
    assert.deepEqual([config.cacheFilesystem, config.redirect, config.cacheOnly, config.noClone, config.kubo.length], ['/srv/cache', 'https://cdn.example.com/images', false, true, 2])
    assert.deepEqual(warnings, [])
    const only = await loader.load(ONLY)
    assert.deepEqual([only.config.cacheOnly, only.config.cacheFilesystem, only.warnings], [true, '/srv/cache', []])
  })

  it('is a directory, a bucket or memory', async () => {
    const of = async (text: string, env = {}): Promise<unknown> => {
      const { cacheFilesystem, cacheS3, cacheR2, cacheInmemory } = (await loader.load(`storage:\n  ipfs:\n    cache:\n      ${text}\n`, env)).config
      return [cacheFilesystem, cacheS3, cacheR2, cacheInmemory]
    }
    assert.deepEqual(await of('filesystem:'), ['/var/lib/registry', undefined, undefined, undefined])
    assert.deepEqual(await of('s3: { bucket: b, region: eu-west-1 }'), [undefined, { bucket: 'b', region: 'eu-west-1' }, undefined, undefined])
    const r2 = { bucket: 'b', regionEndpoint: 'https://a.r2.cloudflarestorage.com' }
    assert.deepEqual(await of('r2: { bucket: b, regionendpoint: "https://a.r2.cloudflarestorage.com" }', { R2_ACCESS_KEY: 'key', R2_SECRET_KEY: 'secret' }),
      [undefined, undefined, { ...r2, accessKey: 'key', secretKey: 'secret' }, undefined])
    assert.deepEqual(await of('inmemory:'), [undefined, undefined, undefined, { maxSize: 1024 * MIB }])
    assert.deepEqual(await of('inmemory: { maxsize: 64MiB }'), [undefined, undefined, undefined, { maxSize: 64 * MIB }])
  })

  it('is read from the environment', async () => {
    const env = { REGISTRY_STORAGE_IPFS_CACHE_S3_BUCKET: 'b', REGISTRY_STORAGE_IPFS_CACHE_S3_REGION: 'r', REGISTRY_STORAGE_IPFS_CACHEONLY: 'true', REGISTRY_STORAGE_IPFS_REDIRECT: 'true' }
    const { config } = await loader.load('', env)
    assert.deepEqual([config.cacheS3, config.cacheOnly, config.redirect], [{ bucket: 'b', region: 'r' }, true, true])
    assert.equal((await loader.load(CACHED, { REGISTRY_STORAGE_IPFS_REDIRECT: 'false' })).config.redirect, undefined)
  })

  it('is printed as it was said', async () => {
    const loaded = await loader.load(`${CACHED.replace('filesystem:\n        rootdirectory: /srv/cache', 's3: { bucket: b, region: r, accesskey: key, secretkey: hush }')}  replicas: true\n`)
    assert.match(configAsYaml(loaded), /redirect: https:\/\/cdn.example.com\/images/)
    assert.doesNotMatch(configAsYaml(loaded) + configAsJson(loaded), /hush/)
    assert.deepEqual(completeConfig(loaded.config, CONFIG_CHECKS), loaded.config)
  })

  it('is refused where it contradicts the rest', async () => {
    const problemOf = async (text: string): Promise<string> => (await loader.problems(text)).join('\n')
    assert.match(await problemOf('storage:\n  ipfs:\n    cacheonly: true\n'), /^config.yaml:3:5: storage.ipfs.cacheonly: has images in the cache alone, and there is none/)
    assert.match(await problemOf(`${ONLY}  inmemory:\n`), /storage.inmemory and storage.ipfs.cache.filesystem: images are in one of them/)
    assert.match(await problemOf(`${ONLY}      s3: { bucket: b, region: r }\n`), /storage.ipfs.cache.filesystem and storage.ipfs.cache.s3: one of them is the cache/)
    assert.match(await problemOf(`${ONLY}    redirect: true\n`), /redirect: sends clients to the bucket, and there is none/)
    assert.match(await problemOf('storage:\n  ipfs:\n    redirect: https://cdn.example.com\n'), /redirect: sends clients to what serves the files of a cache, and there is none/)
    assert.match(await problemOf(CACHED.replace('https://cdn', 'cdn')), /redirect: 'cdn.example.com\/images' is not a URL/)
    assert.match(await problemOf(`${CACHED}  replicas: true\n`), /disco.replicas: is for Discos that share Kubos and a bucket/)
    assert.match(await problemOf('disco: { processes: 2 }\nstorage:\n  ipfs:\n    cache:\n      inmemory:\n'), /storage.ipfs.cache.inmemory is of one process alone/)
    assert.match(await problemOf('storage:\n  ipfs:\n    cache:\n      floppy:\n'), /storage.ipfs.cache.floppy is not a key/)
  })

  it('makes what only IPFS has a use for pointless where it is alone', async () => {
    const { warnings } = await loader.load(ONLY.replace('    cacheonly', '    router: { nodes: [{ url: "http://localhost:5001" }] }\n    cacheonly'))
    assert.deepEqual(warnings, ['config.yaml:3:15: storage.ipfs.router.nodes means nothing with cacheonly: there is no IPFS'])
  })
})
