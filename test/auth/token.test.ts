import assert from 'node:assert/strict'
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { calculateJwkThumbprint, exportJWK, SignJWT, type JWTHeaderParameters, type JWTPayload } from 'jose'
import { BearerChallenger } from '../../src/auth/challenge.ts'
import type { Identity, Scope } from '../../src/auth/authorizer.ts'
import { AccessPolicy, type AccessRule } from '../../src/auth/rules.ts'
import { TokenAuthorizer } from '../../src/auth/token-authorizer.ts'
import { TokenKeys } from '../../src/auth/token-keys.ts'
import { RegistryError } from '../../src/oci/errors.ts'
import { certify } from './certificates.ts'
import { claim, notebook, pull, push, scratch } from './harness.ts'

const ISSUER = 'auth.example'
const SERVICE = 'disco.example'
const ACCESS = [{ type: 'repository', name: 'a/b', actions: ['pull', 'push'] }]

interface Trust {
  readonly bundle?: string
  readonly jwks?: unknown
  readonly algorithms?: readonly string[]
  readonly rules?: readonly AccessRule[]
}

interface Desk {
  readonly ask: (token: string | undefined, ...scopes: Scope[]) => Promise<Identity>
  readonly bundle: string
  readonly jwks: string
}

async function deskOf(t: TestContext, { bundle, jwks, algorithms, rules }: Trust): Promise<Desk> {
  const directory = await scratch(t)
  const paths = { bundle: join(directory, 'bundle.pem'), jwks: join(directory, 'jwks.json') }
  if (bundle !== undefined) await writeFile(paths.bundle, bundle)
  if (jwks !== undefined) await writeFile(paths.jwks, JSON.stringify(jwks))
  const authorizer = new TokenAuthorizer({
    keys: new TokenKeys({ bundle: bundle && paths.bundle, jwks: jwks === undefined ? undefined : paths.jwks, notes: notebook(), interval: 0 }),
    issuer: ISSUER,
    service: SERVICE,
    algorithms,
    policy: new AccessPolicy({ rules }),
    challenger: new BearerChallenger({ realm: 'https://auth.example/token', service: SERVICE }),
  })
  return { ...paths, ask: (token, ...scopes) => authorizer.authorize(claim(token === undefined ? undefined : `Bearer ${token}`), scopes) }
}

function token(key: KeyObject, header: JWTHeaderParameters, change: { readonly [Claim in keyof JWTPayload]: JWTPayload[Claim] | undefined } = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const payload: Record<string, unknown> = { iss: ISSUER, aud: SERVICE, sub: 'alice', exp: now + 100, nbf: now, iat: now, access: ACCESS, ...change }
  return new SignJWT(payload).setProtectedHeader(header).sign(key)
}

async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    assert.ok(error instanceof RegistryError, String(error))
    return `${error.status} ${error.headers['WWW-Authenticate'] ?? ''}`
  }
  return assert.fail('it was let in')
}

const ED = generateKeyPairSync('ed25519')
const BASE = '401 Bearer realm="https://auth.example/token",service="disco.example"'
const edKeys = async (): Promise<unknown> => ({ keys: [{ ...(await exportJWK(ED.publicKey)), kid: 'ed' }] })

describe('a token of another server', () => {
  it('is asked for by a challenge that names realm, service and scopes', async (t) => {
    const { ask } = await deskOf(t, { jwks: await edKeys() })
    assert.equal(await refusal(ask(undefined)), BASE)
    assert.equal(await refusal(ask(undefined, push('a/b'), { ...pull('c'), optional: true })), `${BASE},scope="repository:a/b:pull,push repository:c:pull"`)
  })

  const kinds: Record<string, () => { publicKey: KeyObject; privateKey: KeyObject }> = {
    RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    PS384: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    ES512: () => generateKeyPairSync('ec', { namedCurve: 'P-521' }),
    EdDSA: () => ED,
  }
  for (const [alg, pair] of Object.entries(kinds)) {
    it(`signed by ${alg} with a key of the set lets in to what it names, and to nothing else`, async (t) => {
      const { publicKey, privateKey } = pair()
      const { ask } = await deskOf(t, { jwks: { keys: [{ kty: 'unheard-of' }, { ...(await exportJWK(publicKey)), kid: 'k' }] } })
      const signed = await token(privateKey, { alg, kid: 'k' })
      const identity = await ask(signed, push('a/b'))
      assert.equal(identity.user, 'alice')
      assert.deepEqual(['a/b', 'a'].map((name) => identity.mayPull(name)), [true, false])
      assert.equal((await ask(signed)).user, 'alice')
      const short = `${BASE},scope="repository:c:pull",error="insufficient_scope"`
      assert.equal(await refusal(ask(signed, pull('c'))), short)
      assert.match(await refusal(ask(signed, { type: 'repository', name: 'a/b', actions: ['delete'] })), /insufficient_scope/)
      await ask(signed, push('a/b'), { ...pull('c'), optional: true })
    })
  }

  it('may name everything by a star, and several resources', async (t) => {
    const { ask } = await deskOf(t, { jwks: await edKeys() })
    const access = [{ type: 'registry', name: 'catalog', actions: ['*'] }, { type: 'repository', name: 'x', actions: ['*'] }, { type: 'repository', name: 'y', actions: ['pull', 7] }, 'nonsense']
    const signed = await token(ED.privateKey, { alg: 'EdDSA', kid: 'ed' }, { access })
    await ask(signed, { type: 'registry', name: 'catalog', actions: ['*'] }, push('x'), pull('y'))
    assert.match(await refusal(ask(signed, { type: 'repository', name: 'y', actions: ['*'] })), /insufficient_scope/)
  })

  it('is refused when anything of it is wrong', async (t) => {
    const { ask } = await deskOf(t, { jwks: await edKeys() })
    const now = Math.floor(Date.now() / 1000)
    const other = generateKeyPairSync('ed25519')
    const good = await token(ED.privateKey, { alg: 'EdDSA', kid: 'ed' })
    await ask(good, pull('a/b'))
    const header = { alg: 'EdDSA', kid: 'ed' }
    const wrong: Record<string, string> = {
      'another issuer': await token(ED.privateKey, header, { iss: 'x' }),
      'another audience': await token(ED.privateKey, header, { aud: ['x', 'y'] }),
      'no audience': await token(ED.privateKey, header, { aud: undefined }),
      expired: await token(ED.privateKey, header, { exp: now - 100 }),
      'no end': await token(ED.privateKey, header, { exp: undefined }),
      'not yet': await token(ED.privateKey, header, { nbf: now + 100 }),
      'another key': await token(other.privateKey, header),
      'an unknown key': await token(other.privateKey, { alg: 'EdDSA', kid: 'x' }),
      'no key': await token(ED.privateKey, { alg: 'EdDSA' }),
      'its own key': await token(other.privateKey, { alg: 'EdDSA', jwk: await exportJWK(other.publicKey) }),
      'no signature': `${Buffer.from('{"alg":"none"}').toString('base64url')}.${good.split('.')[1]}.`,
      'changed claims': good.split('.').with(1, Buffer.from('{"iss":"auth.example"}').toString('base64url')).join('.'),
      nonsense: 'x',
    }
    for (const [what, text] of Object.entries(wrong)) {
      assert.equal(await refusal(ask(text, pull('a/b'))), `${BASE},scope="repository:a/b:pull",error="invalid_token"`, what)
    }
  })

  it('may be a minute off, and for several registries', async (t) => {
    const { ask } = await deskOf(t, { jwks: await edKeys() })
    const now = Math.floor(Date.now() / 1000)
    const header = { alg: 'EdDSA', kid: 'ed' }
    await ask(await token(ED.privateKey, header, { exp: now - 40, aud: ['x', SERVICE] }), pull('a/b'))
    await ask(await token(ED.privateKey, header, { nbf: now + 40 }), pull('a/b'))
  })

  it('is not verified with a public key as if it were a shared secret, nor by an algorithm that is not allowed', async (t) => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const secret = { kty: 'oct', kid: 's', k: Buffer.alloc(32, 1).toString('base64url') }
    const jwks = { keys: [{ ...(await exportJWK(rsa.publicKey)), kid: 'k' }, secret] }
    const forged = (header: JWTHeaderParameters, key: string | Uint8Array): Promise<string> =>
      new SignJWT({ iss: ISSUER, aud: SERVICE, exp: Math.floor(Date.now() / 1000) + 100, access: ACCESS }).setProtectedHeader(header).sign(Buffer.from(key))
    const { ask } = await deskOf(t, { jwks })
    const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' })
    assert.match(await refusal(ask(await forged({ alg: 'HS256', kid: 'k' }, pem.toString()), pull('a/b'))), /invalid_token/)
    assert.match(await refusal(ask(await forged({ alg: 'HS256', kid: 's' }, Buffer.alloc(32, 1)), pull('a/b'))), /invalid_token/)
    const narrow = await deskOf(t, { jwks, algorithms: ['RS512', 'HS256'] })
    assert.match(await refusal(narrow.ask(await token(rsa.privateKey, { alg: 'RS256', kid: 'k' }), pull('a/b'))), /invalid_token/)
    await narrow.ask(await token(rsa.privateKey, { alg: 'RS512', kid: 'k' }), pull('a/b'))
    await narrow.ask(await forged({ alg: 'HS256', kid: 's' }, Buffer.alloc(32, 1)), pull('a/b'))
  })

  it('may be restricted by rules, which are no matter of the token: 403', async (t) => {
    const { ask } = await deskOf(t, { jwks: await edKeys(), rules: [{ repository: ['a/*'], users: ['alice'], actions: ['pull'] }] })
    const signed = await token(ED.privateKey, { alg: 'EdDSA', kid: 'ed' })
    await ask(signed, pull('a/b'))
    assert.equal(await refusal(ask(signed, push('a/b'))), '403 ')
  })

  it('whose subject is no name is of nobody', async (t) => {
    const { ask } = await deskOf(t, { jwks: await edKeys() })
    for (const sub of [5, { a: 1 }, ['alice']]) {
      const odd = await token(ED.privateKey, { alg: 'EdDSA', kid: 'ed' }, { sub: sub as unknown as string })
      assert.equal((await ask(odd, pull('a/b'))).user, undefined, JSON.stringify(sub))
    }
  })

  it('of nobody counts as the other server gave it', async (t) => {
    const { ask } = await deskOf(t, { jwks: await edKeys() })
    const identity = await ask(await token(ED.privateKey, { alg: 'EdDSA', kid: 'ed' }, { sub: '' }), pull('a/b'))
    assert.equal(identity.user, undefined)
  })
})

describe('a certificate bundle', () => {
  it('trusts its own keys, by their thumbprint and by their libtrust id', async (t) => {
    const rsa = await certify('rsa', { algorithm: { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' } })
    const ec = await certify('ec')
    const { ask } = await deskOf(t, { bundle: `words before\n${ec.pem}\n${rsa.pem}\n` })
    for (const [alg, { privateKey }] of [['RS256', rsa], ['ES256', ec]] as const) {
      const publicKey = createPublicKey(privateKey)
      await ask(await token(privateKey, { alg, kid: await calculateJwkThumbprint(await exportJWK(publicKey)) }), pull('a/b'))
      await ask(await token(privateKey, { alg, kid: libtrust(publicKey) }), pull('a/b'))
    }
  })

  it('trusts whom its certificates vouch for, through those that come along', async (t) => {
    const root = await certify('root', { ca: true })
    const between = await certify('between', { issuer: root, ca: true })
    const leaf = await certify('leaf', { issuer: between })
    const { ask } = await deskOf(t, { bundle: root.pem })
    await ask(await token(leaf.privateKey, { alg: 'ES256', x5c: [leaf.x5c, between.x5c] }), pull('a/b'))
    await ask(await token(root.privateKey, { alg: 'ES256', x5c: [root.x5c] }), pull('a/b'))

    const stranger = await certify('root', { ca: true })
    const old = await certify('old', { issuer: root, until: new Date(Date.now() - 1000) })
    const layman = await certify('layman', { issuer: root })
    const forged = await certify('forged', { issuer: layman })
    const wrong: Record<string, Promise<string>> = {
      'a gap in the chain': token(leaf.privateKey, { alg: 'ES256', x5c: [leaf.x5c] }),
      'another root of the same name': token(stranger.privateKey, { alg: 'ES256', x5c: [stranger.x5c, root.x5c] }),
      'an expired one': token(old.privateKey, { alg: 'ES256', x5c: [old.x5c] }),
      'one that may not vouch': token(forged.privateKey, { alg: 'ES256', x5c: [forged.x5c, layman.x5c] }),
      'the key of another': token(stranger.privateKey, { alg: 'ES256', x5c: [leaf.x5c, between.x5c] }),
      'no certificate': token(leaf.privateKey, { alg: 'ES256', x5c: ['bm9uZQ=='] }),
      'an empty chain': token(leaf.privateKey, { alg: 'ES256', x5c: [] }),
    }
    for (const [what, text] of Object.entries(wrong)) assert.match(await refusal(ask(await text, pull('a/b'))), /invalid_token/, what)
  })

  it('is not looked for by every way through certificates that all vouch for each other', async (t) => {
    const root = await certify('root', { ca: true })
    const first = await certify('stranger', { ca: true })
    const others = await Promise.all(Array.from({ length: 7 }, () => certify('stranger', { ca: true, keys: first.keys })))
    const { ask } = await deskOf(t, { bundle: root.pem })
    const text = await token(first.privateKey, { alg: 'ES256', x5c: [first, ...others].map(({ x5c }) => x5c) })
    const began = performance.now()
    assert.match(await refusal(ask(text, pull('a/b'))), /invalid_token/)
    assert.ok(performance.now() - began < 300, `${performance.now() - began} ms`)
  })

  it('and a key set are read again when they change', async (t) => {
    const first = await certify('first')
    const second = await certify('second')
    const { ask, bundle } = await deskOf(t, { bundle: first.pem })
    const signed = await token(second.privateKey, { alg: 'ES256', x5c: [second.x5c] })
    assert.match(await refusal(ask(signed, pull('a/b'))), /invalid_token/)
    await writeFile(bundle, `${first.pem}\n${second.pem}`)
    await ask(signed, pull('a/b'))
    await writeFile(bundle, 'broken')
    await ask(signed, pull('a/b'))
  })

  it('that is none, or a key set that is none, is an error that names the file', async (t) => {
    await assert.rejects(deskOf(t, { bundle: 'x' }), /auth\.token\.rootcertbundle .*bundle\.pem: there is no PEM certificate/)
    await assert.rejects(deskOf(t, { jwks: { keys: [] } }), /auth\.token\.jwks .*jwks\.json: there is no key/)
    await assert.rejects(deskOf(t, { jwks: [] }), /no JSON Web Key Set/)
  })
})

function libtrust(key: KeyObject): string {
  const bytes = createHash('sha256').update(key.export({ type: 'spki', format: 'der' })).digest().subarray(0, 30)
  const bits = BigInt(`0x${bytes.toString('hex')}`).toString(2).padStart(240, '0')
  const letters = Array.from({ length: 48 }, (_, i) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.charAt(Number.parseInt(bits.slice(i * 5, i * 5 + 5), 2)))
  return Array.from({ length: 12 }, (_, i) => letters.slice(i * 4, i * 4 + 4).join('')).join(':')
}
