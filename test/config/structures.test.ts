import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { completeConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/config/problem.ts'
import { Loader } from './harness.ts'

describe('what has keys in it', () => {
  let loader: Loader
  before(async () => {
    loader = await Loader.create()
  })
  after(() => loader.remove())

  it('tells each fault in it, with line and column', async () => {
    const content = `notifications:
  endpoints:
    - name: a
      url: ftp://x
      timeout: 5
      thresold: 4
    - url: http://x
      headers: {"a b": [x], c: {d: e}}
access:
  - repository: a
    actions: [pul]
  - never
disco:
  limits:
    rate: fast
    blobsize: 10XB
    bogus: 1
`
    assert.deepEqual(await loader.problems(content), [
      "config.yaml:4:7: notifications.endpoints[0].url: 'ftp://x' is not a URL like https://registry.example.com",
      "config.yaml:5:7: notifications.endpoints[0].timeout: '5' is too short (a bare number is nanoseconds): is 5s meant?",
      'config.yaml:6:7: notifications.endpoints[0].thresold is not a key of this; is threshold meant?',
      'config.yaml:7:7: notifications.endpoints[1]: name is missing',
      "config.yaml:8:17: notifications.endpoints[1].headers.a b: 'a b' is not the name of a header",
      'config.yaml:8:29: notifications.endpoints[1].headers.c: takes values, not keys',
      'config.yaml:10:5: access[0]: users is missing',
      "config.yaml:11:5: access[0].actions: 'pul' is none of pull, push, delete, *",
      'config.yaml:12:5: access[1]: takes keys below it, not a value',
      "config.yaml:15:5: disco.limits.rate: 'fast' is not a whole number from 0 to 1000000000",
      "config.yaml:16:5: disco.limits.blobsize: '10XB' is not a size like 10MB or 4GiB",
      'config.yaml:17:5: disco.limits.bogus is not a key of this; known are uploadsperclient, requestsperclient, rate, burst, clonesperclient, clonesize, blobsize, connections, headersize',
    ])
  })

  it('is YAML in the environment', async () => {
    const env = { REGISTRY_NOTIFICATIONS_ENDPOINTS: '[{name: a, url: "http://a"}]', REGISTRY_HTTP_HEADERS: '{X-A: [b, c]}' }
    const { config, origin } = await loader.load('', env)
    assert.deepEqual(config.notificationEndpoints.map(({ name, url, timeout }) => [name, url, timeout]), [['a', 'http://a', 1_000]])
    assert.deepEqual(config.httpHeaders, { 'X-A': ['b', 'c'] })
    assert.equal(origin('httpHeaders'), 'REGISTRY_HTTP_HEADERS')
    const wrong = { REGISTRY_NOTIFICATIONS_ENDPOINTS: '[{name: a, url: x}]', REGISTRY_ACCESS: '[' }
    const [first, second] = await loader.problems('', wrong)
    assert.equal(first, 'REGISTRY_ACCESS:1:2: Flow sequence must end with a ]')
    assert.equal(second, "REGISTRY_NOTIFICATIONS_ENDPOINTS:1:12: 'x' is not a URL like https://registry.example.com")
  })

  it('is changed in part by the environment', async () => {
    const content = `notifications:
  endpoints: [{name: a, url: "http://a"}, {name: b, url: "http://b"}]
http:
  tls: {certificate: c, key: k, clientcas: [/one.pem, /two.pem]}
  headers: {X-A: [b], X-C: [d]}
log:
  fields: {service: x}
disco:
  limits: {rate: 5}
`
    const { config, origin } = await loader.load(content, {
      REGISTRY_NOTIFICATIONS_ENDPOINTS_1_URL: 'http://other',
      REGISTRY_NOTIFICATIONS_ENDPOINTS_2: '{name: c, url: "http://c"}',
      REGISTRY_HTTP_TLS_CLIENTCAS_0: '/zero.pem',
      'REGISTRY_HTTP_HEADERS_x-c': '[e]',
      'REGISTRY_HTTP_HEADERS_Access-Control-Allow-Origin': "['*']",
      REGISTRY_LOG_FIELDS_ENVIRONMENT: 'staging',
      REGISTRY_DISCO_LIMITS_BURST: '6',
    })
    assert.deepEqual(config.notificationEndpoints.map(({ url }) => url), ['http://a', 'http://other', 'http://c'])
    assert.deepEqual(config.tlsClientCas, ['/zero.pem', '/two.pem'])
    assert.deepEqual(config.httpHeaders, { 'X-A': ['b'], 'X-C': ['e'], 'access-control-allow-origin': ['*'] })
    assert.deepEqual(config.logFields, { service: 'x', environment: 'staging' })
    assert.deepEqual([config.limits.rate, config.limits.burst], [5, 6])
    assert.equal(origin('limits'), 'REGISTRY_DISCO_LIMITS_BURST, config.yaml:9:3')
    assert.deepEqual(await loader.problems(content, { REGISTRY_NOTIFICATIONS_ENDPOINTS_5_URL: 'http://x' }), [
      "REGISTRY_NOTIFICATIONS_ENDPOINTS_5_URL: '5' is not an index from 0 to 2",
    ])
  })

  it('goes as a whole where the environment sets all of a group', async () => {
    const content = 'auth:\n  htpasswd: {realm: r, path: /p}\nstorage:\n  filesystem: {rootdirectory: /r}\n'
    const env = { REGISTRY_AUTH: 'token', REGISTRY_AUTH_TOKEN_REALM: 'r', REGISTRY_AUTH_TOKEN_SERVICE: 's', REGISTRY_AUTH_TOKEN_ISSUER: 'i', REGISTRY_AUTH_TOKEN_JWKS: '/j' }
    const { config } = await loader.load(content, { ...env, REGISTRY_STORAGE: 'inmemory' })
    assert.deepEqual([config.authHtpasswdPath, config.authTokenIssuer], [undefined, 'i'])
    assert.deepEqual([config.storageFilesystem, config.storageInmemory], [undefined, true])
  })

  it('may be written once and referred to', async () => {
    const content = 'notifications:\n  endpoints:\n    - &a {name: a, url: "http://a", timeout: 7s}\n    - {<<: *a, name: b}\n'
    const { config } = await loader.load(content)
    assert.deepEqual(config.notificationEndpoints.map(({ name, timeout }) => [name, timeout]), [['a', 7_000], ['b', 7_000]])
    assert.match((await loader.problems('log:\n  fields: &a\n    x: *a\n')).join('\n'), /nested more than 32 deep/)
  })

  it('is checked when a program gives it', () => {
    const given = {
      notificationEndpoints: [{ name: 'a', url: 'http://a' }, { name: 'b', url: 7, timeout: '5s' }],
      httpHeaders: { 'X-A': 'b' },
      limits: { rate: 5, bursts: 6 },
      access: [{ repository: ['a'], users: ['b'], actions: ['c'] }],
    }
    assert.throws(() => completeConfig(given as never), (error) => {
      assert.ok(error instanceof ConfigError)
      assert.deepEqual(error.problems.map(({ where, reason }) => `${where}: ${reason}`), [
        'httpHeaders.X-A: is string: a list of strings is wanted',
        "access[0].actions: 'c' is none of pull, push, delete, *",
        'limits.bursts: bursts is not a key of this; is burst meant?',
        'notificationEndpoints[1].url: is number: a string is wanted',
        'notificationEndpoints[1].timeout: is 5s: a number of milliseconds above 0 is wanted',
      ])
      return true
    })
    const { limits } = completeConfig({ limits: { rate: 5 } as never })
    assert.deepEqual([limits.rate, limits.burst > 0], [5, true])
  })
})

describe('durations and sizes', () => {
  let loader: Loader
  before(async () => {
    loader = await Loader.create()
  })
  after(() => loader.remove())

  it('are read as Go and people write them', async () => {
    const purging = async (age: string): Promise<number> =>
      (await loader.load(`storage: {maintenance: {uploadpurging: {age: ${age}}}}\n`)).config.uploadPurgingAge
    assert.equal(await purging('1h30m'), 5_400_000)
    assert.equal(await purging('1.5h'), 5_400_000)
    assert.equal(await purging('8760h'), 8_760 * 3_600_000)
    assert.equal(await purging('1000000000'), 1_000)
    assert.equal((await loader.load('disco: {clonetimeout: 90}\n')).config.cloneTimeout, 90_000)
    assert.equal((await loader.load('http: {draintimeout: 0}\n')).config.drainTimeout, 0)
    for (const wrong of ['1h 30m', '1d', '-5s', '.', 'h', '30s1']) {
      assert.match((await loader.problems(`storage: {maintenance: {uploadpurging: {age: ${wrong}}}}\n`)).join(), /is not a duration/, wrong)
    }
    const size = async (text: string): Promise<number> => (await loader.load(`disco: {limits: {blobsize: ${text}}}\n`)).config.limits.blobSize
    assert.deepEqual([await size('10MB'), await size('4GiB'), await size('1.5 kb'), await size('77')], [10_000_000, 4 * 2 ** 30, 1_500, 77])
  })
})
