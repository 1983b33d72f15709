import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { Loader } from './harness.ts'

const read = (file: string): Promise<string> => readFile(new URL(file, import.meta.url), 'utf8')

describe('files of Distribution', () => {
  let loader: Loader
  before(async () => {
    loader = await Loader.create()
  })
  after(() => loader.remove())

  it('start: the example', async () => {
    const { config, warnings } = await loader.load(await read('distribution/example.yml'))
    assert.deepEqual(
      [config.port, config.storageFilesystem, config.authHtpasswdRealm, config.authHtpasswdPath],
      [5000, '/var/lib/registry', 'basic-realm', '/etc/registry'],
    )
    assert.deepEqual(config.httpHeaders, { 'X-Content-Type-Options': ['nosniff'] })
    assert.deepEqual(warnings, [
      'config.yaml:7:3: storage.cache is left out: Disco needs no cache of descriptors',
      'config.yaml:11:3: storage.tag is left out: tags are found by an index',
    ])
  })

  it('start: the one for development, and the one for macOS', async () => {
    const { config } = await loader.load(await read('distribution/dev.yml'))
    assert.deepEqual(
      [config.deleteEnabled, config.uploadPurging, config.debugAddress, config.prometheusEnabled, config.logLevel],
      [true, false, ':5001', true, 'debug'],
    )
    const other = await loader.load(await read('distribution/osx.yml'))
    assert.deepEqual([other.config.host, other.config.httpSecret, other.config.debugAddress], ['0.0.0.0', 'mytokensecret', 'localhost:5001'])
  })

  it('start: all of its options', async () => {
    const { config, warnings } = await loader.load(await read('distribution/all-options.yml'))
    assert.deepEqual([config.host, config.port, config.httpPrefix, config.externalHost, config.drainTimeout], [
      'localhost', 5000, '/my/nested/registry/', 'https://myregistryaddress.org:5000', 60_000,
    ])
    assert.deepEqual([config.tlsCertificate, config.tlsKey, config.tlsClientCas, config.tlsClientAuth], [
      '/path/to/x509/public', '/path/to/x509/private', ['/path/to/ca.pem', '/path/to/another/ca.pem'], 'require-and-verify-client-cert',
    ])
    assert.deepEqual([config.authTokenIssuer, config.authTokenSigningAlgorithms, config.authTokenAutoRedirect], ['registry-token-issuer', ['EdDSA', 'HS256'], true])
    assert.deepEqual([config.uploadPurgingAge, config.uploadPurgingInterval], [7 * 86_400_000, 86_400_000])
    assert.deepEqual(config.notificationEndpoints, [{
      name: 'alistener',
      disabled: false,
      url: 'https://my.listener.com/event',
      headers: { Authorization: ['Bearer token'] },
      timeout: 1_000,
      threshold: 10,
      backoff: 1_000,
      ignoredMediaTypes: ['application/octet-stream'],
      ignore: { mediaTypes: ['application/octet-stream'], actions: ['pull'] },
    }])
    assert.deepEqual(config.healthHttp.map(({ statusCode, timeout }) => [statusCode, timeout]), [[200, 3_000]])
    assert.deepEqual([config.indexPlatforms, config.indexPlatformList], ['list', [{ architecture: 'amd64', os: 'linux' }]])
    assert.deepEqual(warnings.map((warning) => warning.split(' ')[1]), [
      'log.hooks', 'storage.filesystem.maxthreads', 'storage.tag', 'storage.cache', 'middleware', 'redis', 'validation.manifests.urls',
    ])
  })

  it('start: those of version 2', async () => {
    const { config, warnings } = await loader.load(await read('distribution/v2.yml'))
    assert.deepEqual([config.logFormatter, config.storageInmemory, config.storageFilesystem, config.indexPlatforms], ['json', true, undefined, 'all'])
    assert.deepEqual(warnings.map((warning) => warning.split(' ')[1]), ['storage.cache', 'reporting', 'redis', 'compatibility'])
  })

  it('do not start where Disco would be something else: a cache of another registry, a bucket', async () => {
    const problems = await loader.problems(await read('distribution/cache.yml'))
    assert.deepEqual(problems, ['config.yaml:51:1: proxy is not supported: Disco is no pull-through cache: take it out, and name other Discos by disco.peer'])
    for (const driver of ['oss', 'swift']) {
      for (const content of [`storage: ${driver}\n`, `storage:\n  ${driver}:\n`, `storage:\n  ${driver}:\n    bucket: b\n`]) {
        assert.match((await loader.problems(content)).join('\n'), new RegExp(`^config.yaml:\\d:\\d: storage.${driver} is not supported: [^\\n]+$`))
      }
    }
    assert.match((await loader.problems('storage: floppy\n')).join('\n'), /^config.yaml:1:1: storage.floppy is not a key/)
  })

  it('of the original Disco start as they are', async () => {
    const content = await read('original/config.yaml')
    const { config, warnings } = await loader.load(content)
    assert.deepEqual(config.kubo, [{ url: 'http://localhost:5001' }])
    assert.deepEqual([config.port, config.noClone, config.debugAddress, config.uploadPurging], [5000, true, ':5050', false])
    assert.deepEqual(config.logFields, { service: 'disco', environment: 'development' })
    assert.deepEqual(warnings, [])
  })

  it('choose a store and a login by a word', async () => {
    assert.equal((await loader.load('storage: inmemory\n')).config.storageInmemory, true)
    assert.equal((await loader.load('storage: filesystem\n')).config.storageFilesystem, '/var/lib/registry')
    assert.equal((await loader.load('storage:\n  filesystem:\n')).config.storageFilesystem, '/var/lib/registry')
    assert.equal((await loader.load('auth: none\n')).config.authHtpasswdPath, undefined)
    assert.deepEqual(await loader.problems('auth: htpasswd\n'), ['config.yaml:1:1: auth.htpasswd lacks path'])
  })
})
