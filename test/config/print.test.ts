import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { EXAMPLE } from '../../src/config/page-example.ts'
import { configAsJson, configAsYaml } from '../../src/config/print.ts'
import { Loader } from './harness.ts'

const SECRETS = `
auth:
  htpasswd: {realm: r, path: /p}
http:
  secret: s3cret
notifications:
  endpoints: [{name: a, url: "https://user:s3cret@host/hook?team=blue&access_token=s3cret&apikey=s3cret", headers: {Authorization: [Bearer s3cret], X-Api-Key: [s3cret], X-Auth: [s3cret], X-Hook-Signature: [s3cret], X-Team: [blue]}}]
health:
  http: [{uri: "http://h/", headers: {Cookie: [s3cret]}}]
disco:
  peer: ["http://user:s3cret@disco.example.com:1970"]
`

describe('disco config', () => {
  let loader: Loader
  before(async () => {
    loader = await Loader.create()
  })
  after(() => loader.remove())

  it('prints a file that says the same, once its secrets are back in it', async () => {
    for (const content of ['', EXAMPLE, 'storage: inmemory\ndisco: {clonetimeout: 1500ms}\nhttp: {draintimeout: 0}\naccess: []\n']) {
      const loaded = await loader.load(content)
      const again = await loader.load(configAsYaml(loaded).replace(/"?\*\*\*"?/g, 'Bearer s3cret'))
      assert.deepEqual(again.config, loaded.config)
      assert.deepEqual(again.warnings, [])
    }
  })

  it('says where each value comes from', async () => {
    const loaded = await loader.load('log:\n  level: warn\nhttp:\n  addr: :5000\n', { DISCO_NETWORK: 'private' }, ['--processes', '2'])
    const lines = configAsYaml(loaded).split('\n').map((line) => line.trim())
    for (const line of ['level: warn # config.yaml:2:3', 'port: 5000 # config.yaml:4:3', 'network: private # DISCO_NETWORK', 'processes: 2 # --processes', 'host: 0.0.0.0 # default']) {
      assert.ok(lines.includes(line), `${line} is not in\n${lines.join('\n')}`)
    }
    const json = JSON.parse(configAsJson(loaded)) as Record<string, unknown>
    assert.deepEqual(json['disco.port'], { value: 5000, from: 'config.yaml:4:3' })
  })

  it('prints no file that starts without them', async () => {
    const found = await loader.problems(configAsYaml(await loader.load(SECRETS)))
    assert.deepEqual(found.map((problem) => problem.replace(/^config\.yaml:\d+:\d+: /, '').replace(/ has \*\*\* for a secret, as disco config prints it: write the secret itself$/, '')).toSorted(), [
      'disco.peer[0]:',
      'health.http[0].headers.Cookie[0]:',
      'http.secret:',
      ...['Authorization', 'X-Api-Key', 'X-Auth', 'X-Hook-Signature'].map((name) => `notifications.endpoints[0].headers.${name}[0]:`),
      'notifications.endpoints[0].url:',
    ])
    assert.equal((await loader.load('http: {secret: "***"}\n', { REGISTRY_HTTP_SECRET: 'another-one-from-here' })).config.httpSecret, 'another-one-from-here')
    await loader.load('log: {fields: {mark: "***"}}\nhttp: {headers: {X-Mark: ["***"]}}\n')
  })

  it('shows no secret', async () => {
    const loaded = await loader.load(SECRETS)
    for (const shown of [configAsYaml(loaded), configAsJson(loaded)]) {
      assert.doesNotMatch(shown, /s3cret/)
      assert.match(shown, /blue/)
      assert.match(shown, /https:\/\/\*\*\*@host\/hook\?team=blue&access_token=\*\*\*&/)
    }
  })
})
