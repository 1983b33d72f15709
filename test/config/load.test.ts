import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { readFlags } from '../../src/config/flags.ts'
import { completeConfig, loadConfig, type LoadedConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/config/problem.ts'

describe('configuration', () => {
  let directory: string
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'disco-config-'))
  })
  after(() => rm(directory, { recursive: true }))

  const yaml = async (content: string): Promise<string> => {
    const path = join(directory, 'config.yaml')
    await writeFile(path, content)
    return path
  }
  const load = async (args: string[], env: Record<string, string> = {}, content = ''): Promise<LoadedConfig> =>
    loadConfig(readFlags(args), { REGISTRY_CONFIGURATION_PATH: await yaml(content), ...env })
  const problems = async (args: string[], env: Record<string, string> = {}, content = ''): Promise<string[]> => {
    const error = await load(args, env, content).then(() => undefined, (reason: unknown) => reason)
    assert.ok(error instanceof ConfigError, String(error))
    return error.problems.map(({ where, reason }) => `${where.replace(directory, '')}: ${reason}`)
  }

  it('has a default for everything', async () => {
    const { config, warnings } = await load([])
    assert.deepEqual([config.port, config.network, config.data, config.processes], [1970, 'public', join(homedir(), '.disco'), 1])
    assert.equal(config.cloneTimeout, 30_000)
    assert.deepEqual(warnings, [])
  })

  it('takes the flag before the environment before the file', async () => {
    const content = 'disco:\n  port: 3\n  network: private\n  clonetimeout: 1m\n'
    const { config } = await load(['--port', '1'], { DISCO_PORT: '2', DISCO_NETWORK: 'public' }, content)
    assert.deepEqual([config.port, config.network, config.cloneTimeout], [1, 'public', 60_000])
  })

  it('takes several peers from flags, environment and file', async () => {
    const peers = ['http://127.0.0.1:1970', '/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWA']
    const flags = peers.flatMap((peer) => ['--peer', peer])
    assert.deepEqual((await load(flags)).config.peer, peers)
    assert.deepEqual((await load([], { DISCO_PEER: peers.join(',') })).config.peer, peers)
    assert.deepEqual((await load([], {}, `disco:\n  peer: [${peers.join(', ')}]\n`)).config.peer, peers)
    assert.deepEqual((await load([], {}, `disco:\n  peer: ${peers[0]}\n`)).config.peer, [peers[0]])
  })

  it('takes switches bare, with a value, and from the file', async () => {
    assert.equal((await load(['--keepnames'])).config.keepNames, true)
    assert.equal((await load(['--keepnames=false'])).config.keepNames, false)
    assert.equal((await load([], {}, 'disco:\n  keepnames: true\n  noclone: true\n')).config.noClone, true)
  })

  it('takes Distribution\'s names from the environment', async () => {
    const { config, warnings } = await load([], { REGISTRY_HTTP_ADDR: '[::1]:7', REGISTRY_LOG_LEVEL: 'warn', REGISTRY_STORAGE_DELETE_ENABLED: 'true' })
    assert.deepEqual([config.host, config.port, config.logLevel], ['::1', 7, 'warn'])
    assert.deepEqual(warnings, [])
  })

  it('tells everything that is wrong at once, with its place', async () => {
    const content = 'disco:\n  netwrok: private\n  processes: none\nhtttp:\n  addr: x\nhttp:\n  addr: nonsense\n  headers: 7\n'
    assert.deepEqual(await problems(['--prot', '1', '--clone-timeout', 'soon'], { DISCO_PORT: '70000' }, content), [
      '--prot: is not an option; is --port meant?',
      "DISCO_PORT: '70000' is not a whole number from 0 to 65535",
      "--clone-timeout: 'soon' is not a duration like 30s, 500ms or 5m",
      '/config.yaml:2:3: disco.netwrok is not a key; is disco.network meant?',
      "/config.yaml:3:3: disco.processes: 'none' is not a whole number from 1 to 256",
      '/config.yaml:4:1: htttp is not a key; is http meant?',
      "/config.yaml:7:3: http.addr: 'nonsense' is not an address like :1970 or 127.0.0.1:1970",
      '/config.yaml:8:3: http.headers: takes keys below it, not a value',
    ])
  })

  it('tells where the YAML itself is broken', async () => {
    const [first] = await problems([], {}, 'disco:\n  port: [1\n')
    assert.match(first ?? '', /^\/config\.yaml:\d+:\d+: /)
    assert.deepEqual(await problems([], {}, '- a\n'), ['/config.yaml:1:1: is not a list of keys and values'])
  })

  it('names a key that stands twice, and tells what else is wrong', async () => {
    const content = 'http:\n  addr: x\n  secret: a\n  secret: b\nlog:\n  level: loud\nhttp:\n  prefix: p\n'
    const found = await problems([], {}, content)
    assert.deepEqual(found.map((problem) => problem.replaceAll(`${directory}/`, '')), [
      "/config.yaml:2:3: http.addr: 'x' is not an address like :1970 or 127.0.0.1:1970",
      '/config.yaml:4:3: http.secret stands twice, first at config.yaml:3:3: put what belongs to it in one place',
      "/config.yaml:6:3: log.level: 'loud' is none of debug, info, warn, error",
      '/config.yaml:7:1: http stands twice, first at config.yaml:1:1: put what belongs to it in one place',
      "/config.yaml:8:3: http.prefix: 'p' is not a path like /registry/",
    ])
    assert.deepEqual(await problems([], { REGISTRY_LOG_FIELDS: '{a: b, a: c}' }), [
      'REGISTRY_LOG_FIELDS:1:8: a stands twice, first at REGISTRY_LOG_FIELDS:1:2: put what belongs to it in one place',
    ])
  })

  it('refuses a file that is named and not there, and misses the default one silently', async () => {
    const [first] = await problems(['--config', join(directory, 'none.yaml')])
    assert.match(first ?? '', /none\.yaml: cannot be read/)
  })

  it('does not take a list with something empty in it for none, but for an empty variable', async () => {
    const empty = (placeholder: string): string => `is empty, or has something empty in it: ${placeholder} is wanted`
    assert.deepEqual(await problems(['--peer', '', '--listen=']), [`--listen: ${empty('<multiaddr>')}`, `--peer: ${empty('<multiaddr|url>')}`])
    assert.deepEqual(await problems([], {}, 'disco:\n  listen: [""]\n'), [`/config.yaml:2:3: disco.listen: ${empty('<multiaddr>')}`])
    const { config } = await load([], { DISCO_PEER: '', DISCO_LISTEN: ' , ' }, 'disco:\n  announce: []\n')
    assert.deepEqual([config.peer, config.listen, config.announce], [[], [], []])
  })

  it('refuses peers and swarm keys that cannot work', async () => {
    assert.deepEqual(await problems(['--peer', 'host:1970', '--swarm-key', 'key', '--peer', '/ip4/127.0.0.1/tcp/1']), [
      "--peer: 'host:1970' is neither a multiaddr nor an http URL; is http://host:1970 meant?",
      '--swarm-key: is for a private network: add --network private',
    ])
  })

  it('wants a value where one is needed', async () => {
    assert.deepEqual(await problems(['--port', '--network', 'open', 'x']), [
      '--port: needs a value: --port <port>',
      'x: is not an option: options begin with --',
      "--network: 'open' is none of public, private",
    ])
  })

  it('refuses durations that no timer can count', async () => {
    assert.deepEqual(await problems(['--clone-timeout', '700h']), ["--clone-timeout: '700h' is too long: 24 days (576h) is the most"])
    assert.equal((await load(['--clone-timeout', '576h'])).config.cloneTimeout, 24 * 86_400_000)
  })

  it('refuses variables that begin with DISCO_ and are none, and warns of those of Distribution', async () => {
    assert.deepEqual(await problems([], { DISCO_NETWROK: 'private', DISCO_X: '1' }), [
      'DISCO_NETWROK: is not a variable of Disco; is DISCO_NETWORK meant?',
      'DISCO_X: is not a variable of Disco',
    ])
    const { warnings } = await load([], { REGISTRY_LOG_LEVLE: 'debug', DISCO_TEST_CACHE: '/x', DISCO_EMPTY: '' })
    assert.deepEqual(warnings, ['REGISTRY_LOG_LEVLE: is not a variable of Disco and is left out; is REGISTRY_LOG_LEVEL meant?'])
  })

  it('refuses misspelt variables that would have kept others out, and leaves those of other programs alone', async () => {
    assert.deepEqual(await problems([], { REGISTRY_AUTH_HTPASWD_PATH: '/p', REGISTRY_HTTP_TLS_CERTIFCATE: '/c', REGISTRY_STORAGE_OSS_BUCKET: 'b' }), [
      'REGISTRY_AUTH_HTPASWD_PATH: is not a variable of Disco; is REGISTRY_AUTH_HTPASSWD_PATH meant?',
      'REGISTRY_HTTP_TLS_CERTIFCATE: is not a variable of Disco; is REGISTRY_HTTP_TLS_CERTIFICATE meant?',
      'REGISTRY_STORAGE_OSS_BUCKET: storage.oss is not supported: of buckets Disco knows storage.s3, storage.r2, storage.gcs and storage.azure',
    ])
    const { warnings } = await load([], { REGISTRY_AUTH_FILE: '/run/auth.json', REGISTRY_REDIS_ADDR: 'x', REGISTRY_STORAGE_REDIRECT_DISABLE: 'false' })
    assert.deepEqual(warnings, ['REGISTRY_REDIS_ADDR: redis is left out: Disco keeps no cache in Redis'])
  })

  it('takes a login from the environment as people write it for Distribution', async () => {
    const env = { REGISTRY_AUTH: 'htpasswd', REGISTRY_AUTH_HTPASSWD_REALM: 'Registry: of us', REGISTRY_AUTH_HTPASSWD_PATH: '/auth/htpasswd' }
    const { config, origin } = await load([], env)
    assert.deepEqual([config.authHtpasswdRealm, config.authHtpasswdPath], ['Registry: of us', '/auth/htpasswd'])
    assert.equal(origin('authHtpasswdPath'), 'REGISTRY_AUTH_HTPASSWD_PATH')
  })

  it('does not take what Kubernetes says of a service called disco for its own', async () => {
    const links = { DISCO_PORT: 'tcp://10.0.0.1:1970', DISCO_SERVICE_HOST: '10.0.0.1', DISCO_PORT_1970_TCP_ADDR: '10.0.0.1', REGISTRY_SERVICE_PORT: '1' }
    const { config, warnings } = await load([], links)
    assert.deepEqual([config.port, warnings], [1970, []])
  })

  it('does not start open where its file would have kept others out', async () => {
    const closed = 'auth:\n  htpasswd:\n    realm: x\nhttp:\n  tls:\n    clientcas: [ca.pem]\n'
    assert.deepEqual(await problems([], { REGISTRY_AUTH_TOKEN_REALM: 'x' }, closed), [
      'REGISTRY_AUTH_TOKEN_REALM: auth.token and auth.htpasswd: one of them is the way to log in',
      'REGISTRY_AUTH_TOKEN_REALM: auth.token lacks service',
      'REGISTRY_AUTH_TOKEN_REALM: auth.token lacks issuer',
      'REGISTRY_AUTH_TOKEN_REALM: auth.token lacks rootcertbundle or jwks: without keys no token can be believed',
      '/config.yaml:2:3: auth.htpasswd lacks path',
      '/config.yaml:6:5: http.tls.clientcas: is about TLS: add http.tls.certificate and http.tls.key',
    ])
    assert.deepEqual(await problems([], {}, 'auth:\n  htpaswd:\n    realm: x\n'), ['/config.yaml:2:3: auth.htpaswd is not a key; is auth.htpasswd meant?'])
    for (const empty of ['auth:\n', 'auth: {}\n']) {
      assert.deepEqual(await problems([], {}, empty), [
        '/config.yaml:1:1: auth has nothing below it, and everybody would be let in: name htpasswd or token there, or leave auth out',
      ])
    }
    await load([], {}, 'storage:\n  maintenance:\n    readonly:\n      enabled: false\n')
  })

  it('tells what other rooms have against a value with the place of that value', async () => {
    const checks = { values: { listen: () => { throw new Error('is taken') } } }
    const error = await loadConfig(readFlags([]), { DISCO_LISTEN: '/ip4/127.0.0.1/tcp/1' }, checks).catch((reason: unknown) => reason)
    assert.ok(error instanceof ConfigError)
    assert.deepEqual(error.problems, [{ where: 'DISCO_LISTEN', reason: 'is taken' }])
    assert.throws(() => completeConfig({ listen: ['/ip4/127.0.0.1/tcp/1'] }, checks), /^ConfigError: listen: is taken$/)
  })

  it('checks the values of a program like those of a person', () => {
    const given = { prot: 1, port: '1970', network: 'open', peer: 'http://h:1', cloneTimeout: 2 ** 31, keepNames: 'yes', data: 7 }
    assert.throws(() => completeConfig(given as never), (error) => {
      assert.ok(error instanceof ConfigError)
      assert.deepEqual(error.problems.map(({ where, reason }) => `${where}: ${reason}`), [
        'prot: is not an option; is port meant?',
        'port: is string: a whole number from 0 to 65535 is wanted',
        'data: is number: a string is wanted',
        "network: 'open' is none of public, private",
        'peer: is string: a list of strings is wanted',
        'cloneTimeout: 2147483648 ms are too many: 24 days (2073600000) is the most',
        'keepNames: is string: true or false is wanted',
      ])
      return true
    })
    assert.equal(completeConfig({ port: 0, swarmKey: undefined, host: undefined } as never).host, '0.0.0.0')
  })
})
