import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { completeConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/options.ts'
import { Loader } from './harness.ts'

/** Each says something sound by halves. */
const CONTRADICTIONS: readonly (readonly [content: string, ...problems: string[]])[] = [
  ['auth: {htpasswd: {realm: r, path: p}, silly: {realm: r, service: s}}\n', '1:39: auth.silly and auth.htpasswd: one of them is the way to log in'],
  ['auth: {token: {realm: r, service: s, issuer: i}}\n', '1:8: auth.token lacks rootcertbundle or jwks: without keys no token can be believed'],
  ['http: {tls: {certificate: c}}\n', '1:14: http.tls.certificate: is a certificate without its key: add http.tls.key'],
  ['http: {tls: {key: k}}\n', '1:14: http.tls.key: is a key without its certificate: add http.tls.certificate'],
  ['http: {tls: {certificate: c, key: k}, h2c: {enabled: true}}\n', '1:45: http.h2c.enabled: is HTTP/2 without TLS, and there is a certificate: take one of them out'],
  ['http: {net: unix}\n', "1:8: http.net: 'unix' is not supported: Disco listens on TCP"],
  ['validation: {manifests: {indexes: {platforms: list}}}\n', '1:36: validation.manifests.indexes.platforms: is a list, and there is none: add validation.manifests.indexes.platformlist'],
  ['validation: {manifests: {indexes: {platformlist: [{os: a, architecture: b}]}}}\n', '1:36: validation.manifests.indexes.platformlist: counts with validation.manifests.indexes.platforms: list'],
  ['storage: {inmemory: {}, filesystem: {rootdirectory: /r}}\n', '1:11: storage.inmemory and storage.filesystem: images are in one of them'],
  ['storage: inmemory\ndisco: {processes: 2}\n', '1:1: storage.inmemory is of one process alone: with 2 each would have other images; name one process, or another storage'],
  ['access: [{repository: a, users: b, actions: pull}]\n', '1:1: access: names users, and nobody can log in: add auth.htpasswd or auth.token'],
  ['disco: {anonymouspull: true}\n', '1:9: disco.anonymouspull: leaves pulls open beside a login, and there is none: add auth.htpasswd or auth.token'],
  ['notifications: {endpoints: [{name: a, url: "http://a"}, {name: a, url: "http://b"}]}\n', '1:17: notifications.endpoints: has two endpoints called a'],
  ['access:\n', '1:1: access: is empty: a list is wanted, [] for one with nothing in it'],
  ['auth: {htpasswd: {path: p}}\naccess: [{repository: [App], users: a, actions: pull}]\n', "2:11: access[0].repository: 'App' fits no repository: names have small letters, digits and . _ - /, and there are *, **, <cid> and <digest>"],
  ['auth: {htpasswd: {path: p}}\ndisco: {anonymouspull: true}\nhttp: {secret: short}\n', '3:8: http.secret: can be guessed from the tokens that it signs, and those of others be made: 16 characters at least, at random'],
  ['version: 0.2\n', "1:1: version '0.2' is not 0.1"],
  ['disco: {swarmkey: /k}\n', '1:9: disco.swarmkey: is for a private network: add --network private'],
]

describe('contradictions', () => {
  let loader: Loader
  before(async () => {
    loader = await Loader.create()
  })
  after(() => loader.remove())

  for (const [content, ...problems] of CONTRADICTIONS) {
    it(`are told: ${content.trim()}`, async () => {
      assert.deepEqual(await loader.problems(content), problems.map((problem) => `config.yaml:${problem}`))
    })
  }

  it('are told to programs too: half a way to log in is none', () => {
    const half: readonly (readonly [Partial<Config>, RegExp])[] = [
      [{ authHtpasswdRealm: 'test', authHtpasswdPath: undefined }, /auth\.htpasswd lacks path/],
      [{ authTokenJwks: '/j' }, /auth\.token lacks realm/],
      [{ authTokenAutoRedirect: true }, /auth\.token lacks issuer/],
    ]
    for (const [given, expected] of half) assert.throws(() => completeConfig(given), expected)
  })

  it('are none in a configuration that is given as a whole', () => {
    const whole = completeConfig({ authHtpasswdPath: '/p' })
    assert.deepEqual(completeConfig(structuredClone(whole)), whole)
  })
})
