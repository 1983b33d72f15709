import assert from 'node:assert/strict'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { certify } from '../auth/certificates.ts'
import { LOCAL, start } from './command.ts'

describe('disco config', () => {
  let directory: string
  let file: string
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'disco-config-'))
    file = join(directory, 'config.yaml')
  })
  after(() => rm(directory, { recursive: true }))

  it('prints what is in force, where it comes from, and warnings apart', async () => {
    await writeFile(file, 'redis:\n  addr: x\nlog:\n  level: warn\n')
    const { code, out, err } = await start(['config', '--config', file, '--port', '5'], { DISCO_NETWORK: 'private' }).ended
    assert.equal(code, 0)
    assert.match(out, /^ {2}port: 5 # --port$/m)
    assert.match(out, /^ {2}network: private # DISCO_NETWORK$/m)
    assert.ok(out.includes(`level: warn # ${file}:4:3\n`))
    assert.equal(err, `disco: ${file}:1:1: redis is left out: Disco keeps no cache in Redis\n`)
    const json = await start(['config', '--json', '--config', file]).ended
    assert.deepEqual((JSON.parse(json.out) as Record<string, unknown>)['log.level'], { value: 'warn', from: `${file}:4:3` })
  })

  it('tells all that is wrong, also what only the node knows of addresses, and ends with 1', async () => {
    await writeFile(file, 'storage: s3\nhttp:\n  tls:\n    certificate: c\nproxy:\nredis: {addr: x}\n')
    const { code, out, err } = await start(['config', '--config', file, '--listen', '/ip4/1.2.3/tcp/1']).ended
    assert.deepEqual([code, out], [1, ''])
    const lines = err.trimEnd().split('\n')
    assert.equal(lines.length, 5, err)
    assert.equal(lines[0], `disco: ${file}:6:1: redis is left out: Disco keeps no cache in Redis`)
    assert.match(lines[1] ?? '', /^disco: --listen: /)
    assert.equal(lines[2], `disco: ${file}:1:1: storage.s3: bucket is missing`)
    assert.equal(lines[3], `disco: ${file}:4:5: http.tls.certificate: is a certificate without its key: add http.tls.key`)
    assert.match(lines[4] ?? '', /:4:5: http\.tls\.certificate: cannot use \S+: no such file or directory$/)
  })

  it('tells at once of every file that can not be used, with the place that names it, as a start does, which leaves nothing behind', async () => {
    const [one, two] = await Promise.all([certify('one'), certify('two')])
    const pemOf = ({ privateKey }: typeof one): string => privateKey.export({ format: 'pem', type: 'pkcs8' }) as string
    const at = (name: string): string => join(directory, name)
    await Promise.all([writeFile(at('one.pem'), one.pem), writeFile(at('two.key'), pemOf(two)), writeFile(at('keys.json'), '{"s3cret": 1'), writeFile(at('psk'), 's3cret')])
    await writeFile(file, `auth:
  token: {realm: r, service: s, issuer: i, rootcertbundle: ${at('none.pem')}, jwks: ${at('keys.json')}}
http:
  tls:
    certificate: ${at('one.pem')}
    key: ${at('two.key')}
    clientcas: [${at('one.pem')}, ${at('ca1.pem')}, ${at('psk')}]
`)
    const data = at('data')
    const expected = [
      `--swarm-key: cannot use ${at('psk')}: the swarm key is not in the format /key/swarm/psk/1.0.0/, /base16/, 64 hex digits (one a line)`,
      `${file}:2:44: auth.token.rootcertbundle: cannot use ${at('none.pem')}: no such file or directory`,
      `${file}:2:${46 + 'rootcertbundle: '.length + at('none.pem').length}: auth.token.jwks: cannot use ${at('keys.json')}: it is no JSON`,
      `${file}:6:5: http.tls.key: cannot use ${at('two.key')}: it is not the key of the certificate ${at('one.pem')}: `,
      `${file}:7:5: http.tls.clientcas: cannot use ${at('ca1.pem')}: no such file or directory`,
      `${file}:7:5: http.tls.clientcas: cannot use ${at('psk')}: there is no PEM certificate in it`,
    ]
    for (const command of ['config', 'serve']) {
      const { code, out, err } = await start([command, ...LOCAL, '--config', file, '--data', data, '--swarm-key', at('psk')]).ended
      assert.deepEqual([code, out], [1, ''])
      const lines = err.trimEnd().split('\n')
      assert.equal(lines.length, expected.length, err)
      for (const [index, line] of lines.entries()) assert.ok(line.startsWith(`disco: ${expected[index]}`), `${line}\n${expected[index]}`)
      assert.doesNotMatch(err, /s3cret|PRIVATE/)
      await assert.rejects(stat(data), { code: 'ENOENT' })
    }
  })

  it('does not miss a file that another source overrides', async () => {
    await writeFile(file, 'auth: {htpasswd: {path: /none/htpasswd}}\n')
    await writeFile(join(directory, 'htpasswd'), '')
    assert.match((await start(['config', '--config', file]).ended).err, /:1:19: auth\.htpasswd\.path: cannot use \/none\/htpasswd: no such file/)
    assert.equal((await start(['config', '--config', file], { REGISTRY_AUTH_HTPASSWD_PATH: join(directory, 'htpasswd') }).ended).code, 0)
  })
})
