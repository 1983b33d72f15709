import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request as send } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { before, describe, it, type TestContext } from 'node:test'
import { connect, type ConnectionOptions } from 'node:tls'
import { pino } from 'pino'
import { ciphersOf } from '../../src/http/cipher-suites.ts'
import { TlsFiles, type TlsFilesOptions } from '../../src/http/tls-files.ts'
import { certify, type Certified } from '../auth/certificates.ts'
import { startFace, talk, until, type Face } from './harness.ts'

let authority: Certified
let other: Certified
let client: Certified
let stranger: Certified

before(async () => {
  authority = await certify('authority', { ca: true })
  other = await certify('server two', { issuer: authority })
  client = await certify('client', { issuer: authority })
  stranger = await certify('stranger')
})

function keyOf({ privateKey }: Certified): string {
  return privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
}

interface SecureFace extends Face {
  readonly certificate: string
  readonly key: string
  readonly lines: readonly string[]
}

async function startSecure(context: TestContext, options: Partial<TlsFilesOptions> = {}): Promise<SecureFace> {
  const directory = await mkdtemp(join(tmpdir(), 'disco-tls-'))
  context.after(() => rm(directory, { recursive: true }))
  const certificate = join(directory, 'chain.pem')
  const key = join(directory, 'key.pem')
  const cas = join(directory, 'clients.pem')
  const one = await certify('server one', { issuer: authority })
  await Promise.all([writeFile(certificate, `${one.pem}\n${authority.pem}\n`), writeFile(key, keyOf(one)), writeFile(cas, authority.pem)])
  const lines: string[] = []
  const log = pino({}, { write: (line: string) => void lines.push(line) })
  const tls = new TlsFiles({ certificate, key, log, interval: 20, ...options, ...(options.clientCas === undefined ? {} : { clientCas: [cas] }) })
  const face = await startFace(context, () => ({ tls }))
  return { ...face, certificate, key, lines }
}

interface Seen {
  readonly status: number | undefined
  readonly subject: string | undefined
  readonly body: string
}

function ask(port: number, options: ConnectionOptions = {}): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const request = send({ port, path: '/v2/', agent: false, ca: authority.pem, checkServerIdentity: () => undefined, ...options }, (answer) => {
      const { subject } = (answer.socket as ReturnType<typeof connect>).getPeerCertificate()
      text(answer).then((body) => resolve({ status: answer.statusCode, subject: subject?.CN as string | undefined, body }), reject)
    })
    request.on('error', reject).end()
  })
}

/** How a bare handshake ends: with TLS 1.3 a client learns only from the first read that it was refused. */
function shake(port: number, options: ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, rejectUnauthorized: false, ...options }, () => socket.end('GET /v2/ HTTP/1.0\r\n\r\n'))
    text(socket).then((answer) => resolve(answer.slice(0, 12)), (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}

describe('TLS', () => {
  it('serves with the certificate and its chain', async (t) => {
    const { port } = await startSecure(t)
    assert.deepEqual(await ask(port), { status: 200, subject: 'server one', body: '{}' })
  })

  it('tells a client that speaks plain HTTP', async (t) => {
    const { port } = await startSecure(t)
    assert.match(await talk(port, 'GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n'), /^HTTP\/1\.1 400 .*Client sent an HTTP request to an HTTPS server\.\n$/s)
  })

  it('takes a new certificate while it runs, and keeps the old one where the new one is broken', async (t) => {
    const { port, certificate, key, lines } = await startSecure(t)
    await writeFile(certificate, other.pem)
    await until(() => lines.some((line) => line.includes('the one before stays in use')))
    assert.equal((await ask(port)).subject, 'server one')
    await writeFile(key, keyOf(other))
    await until(async () => (await ask(port)).subject === 'server two')
    assert.ok(!lines.some((line) => line.includes('PRIVATE')))
  })

  it('does not start with a key of another certificate, or without one', async (t) => {
    const { certificate, key } = await startSecure(t)
    const log = pino({ level: 'silent' })
    await writeFile(key, keyOf(stranger))
    assert.throws(() => new TlsFiles({ certificate, key, log }), /chain\.pem with key .*key\.pem: .*mismatch/)
    await writeFile(key, 'nonsense')
    assert.throws(() => new TlsFiles({ certificate, key, log }), /key\.pem is not a PEM file/)
    await rm(key)
    assert.throws(() => new TlsFiles({ certificate, key, log }), /ENOENT.*key\.pem/)
  })

  it('refuses versions that are too old', async (t) => {
    const { port } = await startSecure(t)
    assert.equal(await shake(port, { maxVersion: 'TLSv1.2' }), 'HTTP/1.1 200')
    assert.match(await shake(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }), /ALERT_PROTOCOL_VERSION/)
    const newer = await startSecure(t, { minimum: 'tls1.3' })
    assert.equal(await shake(newer.port, { minVersion: 'TLSv1.3' }), 'HTTP/1.1 200')
    assert.match(await shake(newer.port, { maxVersion: 'TLSv1.2' }), /ALERT_PROTOCOL_VERSION/)
  })

  it('speaks the cipher suites that were chosen', async (t) => {
    const { port } = await startSecure(t, { cipherSuites: ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384'] })
    const old = { maxVersion: 'TLSv1.2' } as const
    assert.equal(await shake(port, { ...old, ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }), 'HTTP/1.1 200')
    assert.match(await shake(port, { ...old, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }), /HANDSHAKE_FAILURE/)
    assert.throws(() => ciphersOf(['TLS_RSA_WITH_RC4_128_SHA']), /'TLS_RSA_WITH_RC4_128_SHA' is not a cipher suite/)
  })
})

describe('certificates of clients', () => {
  const cases = {
    'request-client-cert': { none: true, ours: true, strange: true },
    'require-any-client-cert': { none: false, ours: true, strange: true },
    'verify-client-cert-if-given': { none: true, ours: true, strange: false },
    'require-and-verify-client-cert': { none: false, ours: true, strange: false },
  } as const
  for (const [clientAuth, expected] of Object.entries(cases)) {
    it(clientAuth, async (t) => {
      const { port } = await startSecure(t, { clientCas: [''], clientAuth: clientAuth as keyof typeof cases })
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        const isIn = (options: ConnectionOptions): Promise<boolean> => ask(port, { maxVersion, ...options }).then(({ status }) => status === 200, () => false)
        const none = await isIn({})
        const ours = await isIn({ cert: client.pem, key: keyOf(client) })
        const strange = await isIn({ cert: stranger.pem, key: keyOf(stranger) })
        assert.deepEqual({ none, ours, strange }, expected, maxVersion)
      }
    })
  }
})
