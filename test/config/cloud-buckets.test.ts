import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { bucketOf, openBucket } from '../../src/assembly/bucket.ts'
import { cachePlace } from '../../src/assembly/place.ts'
import { completeConfig } from '../../src/config/load.ts'
import { configAsJson, configAsYaml } from '../../src/config/print.ts'
import { ConfigError } from '../../src/config/problem.ts'
import { CONFIG_CHECKS } from '../../src/disco.ts'
import { Loader } from './harness.ts'

/** Distribution's examples. */
const GCS = `storage:
  gcs:
    bucket: bucketname
    credentials:
      type: service_account
      project_id: project_id_string
      private_key_id: private_key_id_string
      private_key: private_key_s3cret
      client_email: client@example.com
    rootdirectory: /gcs/object/name/prefix
    chunksize: 5242880
    maxconcurrency: 50
`
const AZURE = `storage:
  azure:
    accountname: accountname
    accountkey: YmFzZTY0ZW5jb2RlZHMzY3JldA==
    container: containername
    rootdirectory: /az/object/name/prefix
    realm: core.chinacloudapi.cn
    credentials:
      type: client_secret
      clientid: client_id_string
      tenantid: tenant_id_string
      secret: secret_s3cret
    max_retries: 5
    retry_delay: 100ms
    copy_status_poll_max_retry: 10
    copy_status_poll_delay: 100ms
`

describe('buckets of other clouds in the configuration', () => {
  let loader: Loader
  before(async () => {
    loader = await Loader.create()
  })
  after(() => loader.remove())

  it('are read as Distribution writes them', async () => {
    const gcs = await loader.load(GCS)
    assert.deepEqual(gcs.config.storageGcs, {
      bucket: 'bucketname', rootDirectory: '/gcs/object/name/prefix', chunkSize: 5 * 2 ** 20,
      credentials: { type: 'service_account', project_id: 'project_id_string', private_key_id: 'private_key_id_string', private_key: 'private_key_s3cret', client_email: 'client@example.com' },
    })
    assert.equal((await loader.load('storage:\n  gcs:\n    bucket: b\n    keyfile: /etc/key.json\n')).config.storageGcs?.keyFile, '/etc/key.json')
    const azure = await loader.load(AZURE)
    assert.deepEqual(azure.config.storageAzure, {
      accountName: 'accountname', accountKey: 'YmFzZTY0ZW5jb2RlZHMzY3JldA==', container: 'containername', rootDirectory: '/az/object/name/prefix', realm: 'core.chinacloudapi.cn',
      credentials: { type: 'client_secret', clientId: 'client_id_string', tenantId: 'tenant_id_string', secret: 'secret_s3cret' },
    })
    assert.deepEqual([...gcs.warnings, ...azure.warnings], [])
    assert.deepEqual([bucketOf(gcs.config)?.driver, bucketOf(azure.config)?.driver], ['gcs', 'azure'])
  })

  it('are read from the environment', async () => {
    const azure = { REGISTRY_STORAGE: 'azure', REGISTRY_STORAGE_AZURE_ACCOUNTNAME: 'a', REGISTRY_STORAGE_AZURE_CONTAINER: 'c', REGISTRY_STORAGE_AZURE_CREDENTIALS_TYPE: 'default_credentials' }
    assert.deepEqual((await loader.load('', azure)).config.storageAzure, { accountName: 'a', container: 'c', credentials: { type: 'default_credentials' } })
    const gcs = { REGISTRY_STORAGE: 'gcs', REGISTRY_STORAGE_GCS_BUCKET: 'b', REGISTRY_STORAGE_GCS_CREDENTIALS: '{"client_email": "e", "private_key": "k"}' }
    assert.deepEqual((await loader.load('', gcs)).config.storageGcs, { bucket: 'b', credentials: { client_email: 'e', private_key: 'k' } })
  })

  it('may be the cache in front of IPFS', async () => {
    const kubo = ['--kubo', 'http://127.0.0.1:5001']
    const gcs = await loader.load('storage:\n  ipfs:\n    cache:\n      gcs: { bucket: b }\n', {}, kubo)
    assert.deepEqual(cachePlace(gcs.config), { key: 'storage.ipfs.cache.gcs', driver: 'gcs', bucket: { bucket: 'b' } })
    const azure = await loader.load('storage:\n  ipfs:\n    redirect: true\n    cache:\n      azure: { accountname: a, accountkey: eA==, container: c, serviceurl: "http://localhost:1/a" }\n', {}, kubo)
    assert.equal(cachePlace(azure.config)?.driver, 'azure')
    assert.match(azure.warnings.join('\n'), /at http:\/\/localhost:1\/a, which those on other machines can't reach: set storage.ipfs.redirect: false/)
    assert.throws(() => completeConfig({ cacheGcs: { bucket: 'b', chunkSize: 300_000 } }, CONFIG_CHECKS), /cacheGcs: .*chunksize is 300000/)
  })

  it('are refused with what would be right, and without a secret', async () => {
    const reasons = async (text: string): Promise<string> => (await loader.problems(text)).join('\n')
    assert.match(await reasons('storage: gcs\n'), /storage.gcs: bucket is missing$/)
    assert.match(await reasons('storage: azure\n'), /storage.azure: accountname is missing\n.*storage.azure: container is missing$/)
    assert.match(await reasons('storage:\n  azure: { container: c }\n'), /storage.azure: accountname is missing$/)
    assert.match(await reasons('storage:\n  azure: { acountname: a, skipverify: true }\n'), /accountname is missing\n.*container is missing\n.*acountname is not a key of this; is accountname meant\?\n.*NODE_EXTRA_CA_CERTS/)
    assert.match(await reasons('storage:\n  azure: { accountname: a, container: c, skipverify: true }\n'), /NODE_EXTRA_CA_CERTS/)
    assert.match(await reasons('storage:\n  azure: { accountname: a, container: c, connectionstring: "AccountKey=s3cret" }\n'), /name accountname, accountkey/)
    assert.match(await reasons('storage:\n  azure: { accountname: a, container: c, credentials: { type: magic } }\n'), /'magic' is none of shared_key, client_secret, default_credentials/)
    assert.doesNotMatch(await reasons('storage:\n  azure: { accountname: a, container: c, connectionstring: "AccountKey=s3cret" }\n'), /s3cret/)
    assert.match(await reasons(`${GCS}${AZURE.replace('storage:\n', '')}`), /storage.gcs and storage.azure: images are in one of them/)
    for (const url of ['https://a.example.com/?sv=1&sig=s3cret', 'https://me:s3cret@a.example.com']) {
      const told = await reasons(`storage:\n  azure: { accountname: a, container: c, serviceurl: "${url}" }\n`)
      assert.match(told, /has more than the URL of a server has/)
      assert.doesNotMatch(told, /s3cret/)
    }
    const azure = { accountName: 'a', container: 'c' }
    for (const [config, reason] of [
      [{ storageGcs: { bucket: 'b', chunkSize: 300_000 } }, /storageGcs: .*chunksize is 300000, no multiple of 256 KiB/],
      [{ storageGcs: { bucket: 'b', credentials: { private_key: 's3cret' } } }, /storageGcs: .*credentials has no client_email/],
      [{ storageAzure: { ...azure, credentials: { type: 'client_secret', clientId: 'i', secret: 's3cret' } } }, /storageAzure: .*credentials.tenantid is missing, which type client_secret needs/],
      [{ storageAzure: { ...azure, accountKey: 'no base64 s3cret!' } }, /storageAzure: .*accountkey is no base64/],
      [{ storageAzure: { ...azure, credentials: { type: 'shared_key' } } }, /storageAzure: .*accountkey is missing/],
    ] as const) assert.throws(() => completeConfig(config, CONFIG_CHECKS), (error: Error) => reason.test(error.message) && !error.message.includes('s3cret'))
  })

  it('are shown without what opens them', async () => {
    for (const example of [GCS, AZURE]) {
      const loaded = await loader.load(example)
      for (const text of [configAsYaml(loaded), configAsJson(loaded)]) assert.doesNotMatch(text, /s3cret|YmFzZTY0/)
    }
  })

  it('warn where clients are sent to what only this machine reaches', async () => {
    const near = 'storage:\n  azure: { accountname: a, accountkey: eA==, container: c, serviceurl: "http://127.0.0.1:10000/a" }\n'
    assert.match((await loader.load(near)).warnings.join('\n'), /which those on other machines can't reach: set storage.redirect.disable: true/)
    assert.deepEqual((await loader.load(`${near}  redirect: { disable: true }\n`)).warnings, [])
  })

  it('say what is to be installed, where it is not', async () => {
    const wanted = [
      [{ storageAzure: { accountName: 'a', accountKey: 'eA==', container: 'c' } }, 'storage', 'storage.azure: needs @azure/storage-blob: npm install @azure/storage-blob'],
      [{ storageGcs: { bucket: 'b' } }, 'storage.ipfs.cache', 'storage.ipfs.cache.gcs: needs @google-cloud/storage: npm install @google-cloud/storage'],
    ] as const
    for (const [named, at, message] of wanted) {
      const choice = bucketOf(named, at) ?? assert.fail()
      await assert.rejects(openBucket(choice, { readonly: false }), (error) => error instanceof ConfigError && error.message === message)
    }
  })
})
