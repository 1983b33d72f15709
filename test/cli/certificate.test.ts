import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { connect } from 'node:tls'
import { certify } from '../auth/certificates.ts'
import { LOCAL, start } from './command.ts'

/** Files are looked at every 5 s anyway. */
const SOON = 3_000
const CONNECTIONS = 8

function nameAt(address: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(address).port), rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN))
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

it('SIGHUP has each process read the certificate again', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'disco-certificate-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const [certificate, key] = [join(directory, 'chain.pem'), join(directory, 'key.pem')]
  const place = async (name: string): Promise<void> => {
    const { pem, privateKey } = await certify(name)
    await writeFile(certificate, pem)
    await writeFile(key, privateKey.export({ format: 'pem', type: 'pkcs8' }))
  }
  await place('before')
  const disco = start([...LOCAL, '--data', join(directory, 'data'), '--processes', '2', '--tls-certificate', certificate, '--tls-key', key])
  const address = await disco.address
  const names = (): Promise<string[]> => Promise.all(Array.from({ length: CONNECTIONS }, () => nameAt(address)))
  assert.deepEqual(new Set(await names()), new Set(['before']))
  await place('after')
  disco.child.kill('SIGHUP')
  const asked = performance.now()
  while ((await names()).includes('before')) assert.ok(performance.now() - asked < SOON, 'a process goes on with the certificate of before')
  disco.child.kill('SIGTERM')
  const { code, err } = await disco.ended
  assert.equal(code, 0, err)
})
