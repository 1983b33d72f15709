import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { completeConfig } from '../../src/config/load.ts'
import { configAsJson, configAsYaml } from '../../src/config/print.ts'
import { Loader } from './harness.ts'

describe('Kubos in the configuration', () => {
  let loader: Loader
  before(async () => {
    loader = await Loader.create()
  })
  after(() => loader.remove())

  const nodes = (...items: readonly string[]): string => `storage:\n  ipfs:\n    router:\n      nodes:\n${items.map((item) => `        - ${item}\n`).join('')}`

  it('are named by flags, by the environment and by the file', async () => {
    const two = [{ url: 'http://a:5001' }, { url: 'https://b/kubo' }]
    assert.deepEqual((await loader.load('', {}, ['--kubo', 'http://a:5001', '--kubo', 'https://b/kubo'])).config.kubo, two)
    assert.deepEqual((await loader.load('', { DISCO_KUBO: 'http://a:5001, https://b/kubo' })).config.kubo, two)
    assert.deepEqual((await loader.load('', { DISCO_KUBO: '[http://a:5001, {url: https://b/kubo}]' })).config.kubo, two)
    assert.deepEqual((await loader.load(nodes('url: http://a:5001', 'https://b/kubo'))).config.kubo, two)
    const { config, origin } = await loader.load(nodes('url: http://a:5001', 'url: http://c'), {
      REGISTRY_STORAGE_IPFS_ROUTER_NODES_1_URL: 'https://b/kubo', REGISTRY_STORAGE_IPFS_ROUTER_NODES_0_TOKEN: 's3cret',
    })
    assert.deepEqual(config.kubo, [{ url: 'http://a:5001', token: 's3cret' }, { url: 'https://b/kubo' }])
    assert.match(origin('kubo') ?? '', /^REGISTRY_STORAGE_IPFS_ROUTER_NODES_0_TOKEN, /)
  })

  it('are written as the original Disco takes them too', async () => {
    const { config } = await loader.load('', {}, ['a:5001', '/ip4/10.0.0.1/tcp/5001', '/dns4/kubo/tcp/1', '/ip6/::1/tcp/2', 'http://c:5001/api/v0'].flatMap((url) => ['--kubo', url]))
    assert.deepEqual(config.kubo.map(({ url }) => url), ['http://a:5001', 'http://10.0.0.1:5001', 'http://kubo:1', 'http://[::1]:2', 'http://c:5001'])
    assert.deepEqual(completeConfig({ kubo: [{ url: 'a:5001' }] }).kubo, [{ url: 'http://a:5001' }])
  })

  it('are refused with what would be right, and without a password', async () => {
    assert.deepEqual(await loader.problems(nodes('url: ftp://me:s3cret@a', '{}', 'uri: http://b', 'url: http://a?b=c')), [
      "config.yaml:5:11: storage.ipfs.router.nodes[0]: 'ftp://a' is not the URL of a Kubo's RPC like http://localhost:5001",
      'config.yaml:6:11: storage.ipfs.router.nodes[1]: url is missing',
      'config.yaml:7:11: storage.ipfs.router.nodes[2]: uri is not a key of this; is url meant?',
      'config.yaml:7:11: storage.ipfs.router.nodes[2]: url is missing',
      "config.yaml:8:11: storage.ipfs.router.nodes[3]: 'http://a?…' has more than a URL of a Kubo's RPC has: http://localhost:5001",
    ])
    assert.deepEqual(await loader.problems('', {}, ['--kubo', 'http://a:1', '--kubo', 'a:1']), ['--kubo: has a:1/ twice'])
    assert.deepEqual(await loader.problems(nodes('{url: "http://me:pw@a", token: t}')), [
      'config.yaml:4:7: storage.ipfs.router.nodes: has a node with a user in its URL and a token: Kubo takes one of them',
    ])
  })

  it('are not none where a variable was empty in a script', async () => {
    const empty = "is empty: the URL of a Kubo's RPC like http://localhost:5001 is wanted"
    assert.deepEqual(await loader.problems('', {}, ['--kubo', '']), [`--kubo: ${empty}`])
    assert.deepEqual(await loader.problems('', {}, ['--kubo', 'http://a', '--kubo=']), [`--kubo: ${empty}`])
    assert.deepEqual(await loader.problems(nodes('""', 'url: ""', 'url:')), [
      `config.yaml:5:11: storage.ipfs.router.nodes[0]: ${empty}`,
      `config.yaml:6:11: storage.ipfs.router.nodes[1]: ${empty}`,
      'config.yaml:7:11: storage.ipfs.router.nodes[2]: url is missing',
    ])
    assert.deepEqual((await loader.load('', { DISCO_KUBO: '' })).config.kubo, [])
    assert.deepEqual((await loader.load('', { DISCO_KUBO: 'http://a, ' })).config.kubo, [{ url: 'http://a' }])
  })

  it('are shown without what opens them', async () => {
    const loaded = await loader.load(nodes('url: http://me:s3cret@a:5001', '{url: "http://b", token: s3cret}'))
    for (const text of [configAsYaml(loaded), configAsJson(loaded)]) {
      assert.doesNotMatch(text, /s3cret/)
      assert.match(text, /http:\/\/\*\*\*@a:5001/)
    }
    const printed = await loader.problems(configAsYaml(loaded))
    assert.deepEqual(printed.length, 2)
    for (const problem of printed) assert.match(problem, /storage\.ipfs\.router\.nodes.*: has \*\*\* for a secret/)
  })

  it('hold the images alone', async () => {
    const both = 'storage.filesystem and storage.ipfs.router: images are in one of them'
    assert.deepEqual(await loader.problems(`storage:\n  filesystem:\n    rootdirectory: /r\n`, {}, ['--kubo', 'http://a']), [`config.yaml:3:5: storage.filesystem.rootdirectory: ${both}`])
    const all = await loader.problems(`storage:\n  inmemory:\n  filesystem:\n    rootdirectory: /r\n`, {}, ['--kubo', 'http://a'])
    assert.deepEqual(all, ['config.yaml:2:3: storage.inmemory and storage.filesystem and storage.ipfs.router: images are in one of them'])
    assert.deepEqual(await loader.problems('disco:\n  pinning: [a]\n'), ['config.yaml:2:3: disco.pinning: is done by Kubo: name one by storage.ipfs.router.nodes or --kubo'])
  })

  it('have their own configuration for what a node is told', async () => {
    const { warnings } = await loader.load('disco:\n  announce: [/ip4/1.2.3.4/tcp/4001]\n', { DISCO_SWARM_KEY: '/k' }, ['--kubo', 'http://a', '--listen', '/ip4/127.0.0.1/tcp/0', '--network', 'public'])
    assert.deepEqual(warnings, [
      '--network, --listen, config.yaml:2:3, DISCO_SWARM_KEY: disco.network and disco.listen and disco.announce and disco.swarmkey mean nothing with Kubo, which is the IPFS node: its own configuration says it',
    ])
    const one = await loader.load('', {}, ['--kubo', 'http://a', '--network', 'private'])
    assert.deepEqual(one.warnings, ['--network: disco.network means nothing with Kubo, which is the IPFS node: its own configuration says it'])
  })
})
