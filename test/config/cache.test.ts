import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { linksOf } from '../../src/assembly/links.ts'
import { nodeLines } from '../../src/cli/start-lines.ts'
import { completeConfig } from '../../src/config/load.ts'
import { configAsJson, configAsYaml } from '../../src/config/print.ts'
import { sendsToBucket } from '../../src/config/storage-rules.ts'
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
    assert.equal((await loader.load(CACHED, { REGISTRY_STORAGE_IPFS_REDIRECT: 'false' })).config.redirect, false)
    const azure = {
      REGISTRY_STORAGE: 'ipfs', REGISTRY_DISCO_REPLICAS: 'true', REGISTRY_STORAGE_REDIRECT_DISABLE: 'true',
      REGISTRY_STORAGE_IPFS_CACHE_AZURE_ACCOUNTNAME: 'a', REGISTRY_STORAGE_IPFS_CACHE_AZURE_CONTAINER: 'c', REGISTRY_STORAGE_IPFS_ROUTER_NODES: 'http://localhost:5001',
    }
    const loaded = (await loader.load('', azure)).config
    assert.deepEqual([loaded.cacheAzure, loaded.kubo.length, loaded.replicas, loaded.redirectDisabled], [{ accountName: 'a', container: 'c' }, 1, true, true])
    const directory = { REGISTRY_STORAGE: 'ipfs', REGISTRY_STORAGE_IPFS_CACHE_FILESYSTEM_ROOTDIRECTORY: '/srv/cache' }
    assert.equal((await loader.load('', directory)).config.cacheFilesystem, '/srv/cache')
    assert.deepEqual((await loader.load('', { REGISTRY_STORAGE_IPFS_CACHE_INMEMORY_MAXSIZE: '1MiB' })).config.cacheInmemory, { maxSize: MIB })
    assert.deepEqual((await loader.load('', { REGISTRY_STORAGE_IPFS_CACHE_GCS: '{ bucket: b }' })).config.cacheGcs, { bucket: 'b' })
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

  it('says what is missing where IPFS, its cache or its Kubos are named with nothing below', async () => {
    const reasons = async (below: string): Promise<string[]> => loader.problems(`storage:\n  ipfs:${below}\n`)
    assert.deepEqual(await reasons(''), ['config.yaml:2:3: storage.ipfs has nothing below it: name Kubos by router.nodes, or a cache; without either, leave it out: Disco is an IPFS node itself'])
    assert.match((await reasons(' {}')).join('\n'), /^config.yaml:2:3: storage.ipfs has nothing below it/)
    assert.match((await loader.problems('storage: ipfs\n')).join('\n'), /^config.yaml:1:1: storage.ipfs has nothing/)
    assert.deepEqual(await reasons('\n    cache: {}'), ['config.yaml:3:5: storage.ipfs.cache has nothing below it: name one of inmemory, filesystem, s3, r2, gcs, azure'])
    assert.deepEqual(await reasons('\n    redirect: false\n    router:'), ['config.yaml:4:5: storage.ipfs.router has nothing below it: name Kubos by nodes'])
    assert.match((await reasons('\n    router:\n      nodes:')).join('\n'), /storage.ipfs.router has nothing below it/)
  })

  it('sends nobody to a URL with a login, and nobody where redirects are off', async () => {
    const login = await loader.problems(CACHED.replace('https://cdn', 'https://me:s3cret@cdn'))
    assert.match(login.join('\n'), /redirect: 'https:\/\/cdn.example.com\/images' has a login/)
    assert.match((await loader.problems(CACHED.replace('/images', '/images#top'))).join('\n'), /has a login or a #/)
    const both = await loader.load(CACHED.replace('storage:\n', 'storage:\n  redirect: { disable: true }\n'))
    assert.deepEqual(both.warnings, ['config.yaml:11:5: storage.ipfs.redirect means nothing with storage.redirect.disable: true'])
    const links = { presigned: async () => 'of the bucket' }
    assert.equal(linksOf(both.config, links), undefined)
    const tokened = linksOf({ redirect: 'http://cdn.example.com:8080/images//?token=t', redirectDisabled: false }, undefined)
    assert.equal(await tokened?.presigned('docker/registry/v2/blobs/x/data', 'GET', 1), 'http://cdn.example.com:8080/images/docker/registry/v2/blobs/x/data?token=t')
    assert.doesNotMatch(nodeLines({ ...both.config, redirectDisabled: false, redirect: 'https://cdn.example.com/images?token=t' }, undefined, []), /token/)
  })

  it('sends to a bucket of images unless it is told not to', async () => {
    const sends = async (text: string): Promise<boolean> => sendsToBucket((await loader.load(`storage:\n  s3: { bucket: b, region: r }\n${text}`)).config)
    const sent: boolean[] = []
    for (const text of ['', '  ipfs: { redirect: true }\n', '  ipfs: { redirect: false }\n', '  redirect: { disable: true }\n', '  ipfs: { redirect: true }\n  redirect: { disable: true }\n']) sent.push(await sends(text))
    assert.deepEqual(sent, [true, true, false, false, false])
  })

  it('makes what only IPFS has a use for pointless where it is alone', async () => {
    const { warnings } = await loader.load(ONLY.replace('    cacheonly', '    router: { nodes: [{ url: "http://localhost:5001" }] }\n    cacheonly'))
    assert.deepEqual(warnings, ['config.yaml:3:15: storage.ipfs.router.nodes means nothing with cacheonly: there is no IPFS'])
  })
})
