import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { readFlags } from '../../src/config/flags.ts'
import { loadConfig, type LoadedConfig } from '../../src/config/load.ts'
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

  it('reads a file of the original', async () => {
    const content = `version: 0.1
log:
  level: debug
storage:
  ipfs:
    router:
      nodes:
        - url: http://localhost:5051
http:
  addr: :5000
  debug:
    addr: :5050
disco:
  noclone: true
`
    const { config, warnings } = await load([], {}, content)
    assert.deepEqual([config.port, config.host, config.logLevel, config.noClone], [5000, '0.0.0.0', 'debug', true])
    assert.equal(warnings.length, 2)
    assert.match(warnings[0] ?? '', /config\.yaml:4:1: storage is not supported yet/)
  })

  it('takes Distribution\'s names from the environment', async () => {
    const { config, warnings } = await load([], { REGISTRY_HTTP_ADDR: '[::1]:7', REGISTRY_LOG_LEVEL: 'warn', REGISTRY_STORAGE_DELETE_ENABLED: 'true' })
    assert.deepEqual([config.host, config.port, config.logLevel], ['::1', 7, 'warn'])
    assert.equal(warnings.length, 1)
  })

  it('tells everything that is wrong at once, with its place', async () => {
    const content = 'disco:\n  netwrok: private\n  processes: none\nhtttp:\n  addr: x\n'
    assert.deepEqual(await problems(['--prot', '1', '--clone-timeout', 'soon'], { DISCO_PORT: '70000' }, content), [
      '--prot: is not an option; is --port meant?',
      '/config.yaml:2:3: disco.netwrok is not a key; is disco.network meant?',
      '/config.yaml:4:1: htttp is not a key; is http meant?',
      "DISCO_PORT: '70000' is not a whole number from 0 to 65535",
      "/config.yaml:3:3: 'none' is not a whole number from 1 to 256",
      "--clone-timeout: 'soon' is not a duration like 30s, 500ms or 5m",
    ])
  })

  it('tells where the YAML itself is broken', async () => {
    const [first] = await problems([], {}, 'disco:\n  port: [1\n')
    assert.match(first ?? '', /^\/config\.yaml:\d+:\d+: /)
    assert.deepEqual(await problems([], {}, '- a\n'), ['/config.yaml:1:1: is not a list of keys and values'])
  })

  it('refuses a file that is named and not there, and misses the default one silently', async () => {
    const [first] = await problems(['--config', join(directory, 'none.yaml')])
    assert.match(first ?? '', /none\.yaml: cannot be read/)
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
})
