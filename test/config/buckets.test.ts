import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { adviceFor } from '../../src/assembly/bucket-advice.ts'
import { bucketName, bucketOf } from '../../src/assembly/bucket.ts'
import { completeConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/options.ts'
import { configAsJson, configAsYaml } from '../../src/config/print.ts'
import { CONFIG_CHECKS } from '../../src/disco.ts'
import { Loader } from './harness.ts'

/** Distribution's example, with what is left empty in it. */
const EXAMPLE = `storage:
  s3:
    accesskey: awsaccesskey
    secretkey: awss3cret
    region: us-west-1
    regionendpoint: http://myobjects.local
    forcepathstyle: true
    accelerate: false
    bucket: bucketname
    encrypt: true
    keyid: mykeyid
    secure: true
    v4auth: true
    chunksize: 5242880
    multipartcopychunksize: 33554432
    multipartcopymaxconcurrency: 100
    multipartcopythresholdsize: 33554432
    rootdirectory: /s3/object/name/prefix
    usedualstack: false
    sessiontoken: ""
    useragent:
    loglevel: debug
`

describe('buckets in the configuration', () => {
  let loader: Loader
  before(async () => {
    loader = await Loader.create()
  })
  after(() => loader.remove())

  it('are read as Distribution writes them', async () => {
    const { config, warnings } = await loader.load(EXAMPLE)
    assert.deepEqual(config.storageS3, {
      bucket: 'bucketname', accessKey: 'awsaccesskey', secretKey: 'awss3cret', region: 'us-west-1', regionEndpoint: 'http://myobjects.local',
      forcePathStyle: true, accelerate: false, encrypt: true, keyId: 'mykeyid', secure: true, chunkSize: 5 * 2 ** 20,
      multipartCopyChunkSize: 32 * 2 ** 20, multipartCopyMaxConcurrency: 100, multipartCopyThresholdSize: 32 * 2 ** 20,
      rootDirectory: '/s3/object/name/prefix', useDualStack: false,
    })
    assert.deepEqual(warnings, [])
    assert.equal(config.redirectDisabled, false)
    assert.equal((await loader.load(`${EXAMPLE}  redirect:\n    disable: true\n`)).config.redirectDisabled, true)
  })

  it('are read from the environment, alone and beside the file', async () => {
    const alone = { REGISTRY_STORAGE: 's3', REGISTRY_STORAGE_S3_BUCKET: 'b', REGISTRY_STORAGE_S3_REGION: 'eu-west-1', REGISTRY_STORAGE_S3_SECURE: 'false' }
    assert.deepEqual((await loader.load('storage: inmemory\n', alone)).config.storageS3, { bucket: 'b', region: 'eu-west-1', secure: false })
    const { config, origin } = await loader.load(EXAMPLE, { REGISTRY_STORAGE_S3_SECRETKEY: 'other', REGISTRY_STORAGE_S3_CHUNKSIZE: '16MiB' })
    assert.deepEqual([config.storageS3?.secretKey, config.storageS3?.chunkSize, config.storageS3?.bucket], ['other', 16 * 2 ** 20, 'bucketname'])
    assert.match(origin('storageS3') ?? '', /^REGISTRY_STORAGE_S3_CHUNKSIZE, REGISTRY_STORAGE_S3_SECRETKEY, config.yaml/)
  })

  it('are R2\'s with the keys that the original Disco reads from the environment, where there is one', async () => {
    const r2 = 'storage:\n  r2:\n    accesskey: a\n    secretkey: b\n    region: wnam\n    bucket: c\n    regionendpoint: https://x.r2.cloudflarestorage.com\n'
    const env = { R2_ACCESS_KEY: 'first', R2_SECRET_KEY: 'second', REGISTRY_STORAGE_R2_ACCESSKEY: 'less' }
    const { config } = await loader.load(r2, env)
    assert.deepEqual([config.storageR2?.accessKey, config.storageR2?.secretKey], ['first', 'second'])
    assert.deepEqual(bucketOf(config), { key: 'storage.r2', driver: 'r2', bucket: { ...config.storageR2, region: undefined, r2: true } })
    const without = await loader.load('', { R2_ACCESS_KEY: 'first', R2_SECRET_KEY: 'second' })
    assert.deepEqual([without.config.storageR2, without.config.storageS3], [undefined, undefined])
    const wrong = await loader.problems(r2.replace('    region: wnam\n', '    encrypt: true\n'))
    assert.deepEqual(wrong.map((problem) => problem.replace(/; known are .*/, '')), ['config.yaml:5:5: storage.r2.encrypt is not a key of this'])
  })

  it('are refused with what would be right, and without a secret', async () => {
    for (const named of ['storage: s3\n', 'storage:\n  s3:\n', 'storage:\n  s3: {}\n']) assert.match((await loader.problems(named)).join('\n'), /^config.yaml:\d:\d: storage.s3: bucket is missing$/)
    const wrong = await loader.problems('storage:\n  s3:\n    bucket: b\n    buket: c\n    regionendpoint: http://me:s3cret@host\n    chunksize: 1MB\n    v4auth: true\n')
    assert.deepEqual(wrong, [
      'config.yaml:4:5: storage.s3.buket is not a key of this; is bucket meant?',
      'config.yaml:5:5: storage.s3.regionendpoint: has a login in it, and must have none: write \'http://host\', and accesskey and secretkey beside it',
      'config.yaml:6:5: storage.s3.chunksize: \'1MB\' is too small: 5242880 bytes is the least',
    ])
    assert.deepEqual(await loader.problems(EXAMPLE.replace('v4auth: true', 'v4auth: false')), ['config.yaml:13:5: storage.s3.v4auth is false, which is not supported: Disco signs by version 4 alone'])
    const all = await loader.problems('storage:\n  s3:\n    buket: b\n    v4auth: false\n    secretkye: s3cret\n    encrypt: maybe\n')
    assert.deepEqual(all, [
      'config.yaml:2:3: storage.s3: bucket is missing',
      'config.yaml:3:5: storage.s3.buket is not a key of this; is bucket meant?',
      'config.yaml:4:5: storage.s3.v4auth is false, which is not supported: Disco signs by version 4 alone',
      'config.yaml:5:5: storage.s3.secretkye is not a key of this; is secretkey meant?',
      'config.yaml:6:5: storage.s3.encrypt: \'maybe\' is neither true nor false',
    ])
    assert.throws(() => completeConfig({ storageS3: { bucket: 'b', accessKey: 'a' } }, CONFIG_CHECKS), /storageS3: .*region is missing.*accesskey and secretkey belong together/)
    assert.deepEqual(completeConfig({ storageS3: { bucket: 'b', region: 'r' } }, CONFIG_CHECKS).storageS3, { bucket: 'b', region: 'r' })
  })

  it('are refused with an endpoint that has a login, which is not shown', async () => {
    for (const login of ['AKIDX:SEKRIT', 'AKIDX:SE/KRIT', 'SEKRIT', 'AKIDX:SE@KRIT', 'AKIDX:SE?KRIT']) {
      for (const scheme of ['http://', '']) {
        const [problem = '', ...more] = await loader.problems(`storage:\n  s3:\n    bucket: b\n    regionendpoint: ${scheme}${login}@127.0.0.1:9000\n`)
        assert.equal(problem, `config.yaml:4:5: storage.s3.regionendpoint: has a login in it, and must have none: write '${scheme}127.0.0.1:9000', and accesskey and secretkey beside it`)
        assert.deepEqual(more, [])
      }
    }
  })

  it('of R2 have no region that could be put right', () => {
    const [s3, r2] = [bucketOf({ storageS3: { bucket: 'b', region: 'r' } }), bucketOf({ storageR2: { bucket: 'b', region: 'r', regionEndpoint: 'http://r2' } })]
    for (const name of ['PermanentRedirect', 'AuthorizationHeaderMalformed']) {
      const reason = Object.assign(new Error('wrong'), { name })
      assert.equal(s3 && adviceFor(s3, reason), 'see storage.s3.region (in the environment REGISTRY_STORAGE_S3_REGION)')
      assert.equal(r2 && adviceFor(r2, reason), 'storage.r2 is for R2, whose region is always auto: for another server name storage.s3')
    }
  })

  it('are refused with a name or a root of another place, with its key', async () => {
    for (const [driver, needed, name] of [['s3', 'region: r', 'bucket'], ['r2', 'regionendpoint: http://r2', 'bucket'], ['gcs', '', 'bucket'], ['azure', 'accountname: a', 'container']] as const) {
      const problemsOf = (bucket: string, root: string): Promise<string[]> => loader.problems(`storage:\n  ${driver}:\n    ${name}: ${bucket}\n    rootdirectory: ${root}\n    ${needed}\n`)
      for (const wrong of ['../../x', 'a/../b', '..', './a', '/..']) {
        assert.deepEqual(await problemsOf(wrong, wrong), [[3, name], [4, 'rootdirectory']].map(([line, key]) => {
          return `config.yaml:${line}:5: storage.${driver}.${key}: '${wrong}' has . or .. in it, which no bucket has a place for`
        }))
      }
    }
    const fine = 'storage:\n  s3:\n    bucket: b.c\n    region: r\n    rootdirectory: /a..b/.c/d./\n'
    assert.equal((await loader.load(fine)).config.storageS3?.rootDirectory, '/a..b/.c/d./')
  })

  it('are refused with values that can\'t be meant together, and what to write instead', async () => {
    const told = (config: Partial<Config>): string => {
      try {
        completeConfig(config, CONFIG_CHECKS)
        return 'nothing'
      } catch (error) {
        return (error as Error).message
      }
    }
    assert.equal(told({ storageR2: { bucket: 'b' } }), 'storageR2: regionendpoint is missing: https://<account>.r2.cloudflarestorage.com is wanted')
    assert.equal(told({ storageS3: { bucket: 'b' } }), 'storageS3: region is missing: it says where in Amazon the bucket is')
    for (const encrypt of [undefined, false]) {
      assert.equal(told({ cacheS3: { bucket: 'b', region: 'r', keyId: 'k', encrypt } }), 'cacheS3: keyid means nothing without encrypt: true, and objects would not be encrypted: write both, or none')
    }
    assert.equal(told({ storageS3: { bucket: 'b', region: 'r', keyId: 'k', encrypt: true } }), 'nothing')
    for (const endpoint of ['ftp://minio', 'htp://minio:9000', 'minio://a', 'http:minio:9000', 'https:/minio']) {
      assert.match((await loader.problems(`storage:\n  s3: {bucket: b, regionendpoint: "${endpoint}"}\n`)).join('\n'), /regionendpoint: '.*' is not the URL of a server like https:\/\/minio.example.com:9000$/)
    }
    for (const endpoint of ['minio:9000', 'nyc3.example.com', 'HTTP://minio', '[::1]:9000']) await loader.load(`storage:\n  s3: {bucket: b, regionendpoint: "${endpoint}"}\n`)
  })

  it('are called by where they are asked for', () => {
    const name = (regionEndpoint: string, secure?: boolean): string => bucketName({ key: 'storage.s3', driver: 's3', bucket: { bucket: 'b', regionEndpoint, secure } })
    assert.equal(name('minio:9000'), 'bucket b at https://minio:9000')
    assert.equal(name('minio:9000', false), 'bucket b at http://minio:9000')
    assert.equal(name('http://minio:9000', true), 'bucket b at http://minio:9000')
  })

  it('hold the images alone', async () => {
    assert.deepEqual(await loader.problems(`${EXAMPLE}  filesystem:\n    rootdirectory: /r\n`), ['config.yaml:24:5: storage.filesystem.rootdirectory: storage.filesystem and storage.s3: images are in one of them'])
    const all = await loader.problems('storage:\n  s3: {bucket: a, region: r}\n  r2: {bucket: a, regionendpoint: "https://r"}\n', {}, ['--kubo', 'http://a'])
    assert.deepEqual(all, ['config.yaml:2:3: storage.s3 and storage.r2 and storage.ipfs.router: images are in one of them'])
  })

  it('are shown without what opens them', async () => {
    const loaded = await loader.load(EXAMPLE.replace('sessiontoken: ""', 'sessiontoken: tops3cret'))
    for (const text of [configAsYaml(loaded), configAsJson(loaded)]) assert.doesNotMatch(text, /s3cret|awsaccesskey|mykeyid/)
    for (const problem of await loader.problems(configAsYaml(loaded))) assert.match(problem, /storage\.s3.*: has \*\*\* for a secret/)
  })

  it('warn where clients are sent to what only this machine reaches', async () => {
    const near = EXAMPLE.replace('myobjects.local', 'localhost:9000')
    assert.match((await loader.load(near)).warnings.join('\n'), /^config.yaml:2:3: clients get blobs from the bucket at http:\/\/localhost:9000, .*storage.redirect.disable: true$/)
    assert.deepEqual((await loader.load(`${near}  redirect:\n    disable: true\n`)).warnings, [])
  })
})
