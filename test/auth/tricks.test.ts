import assert from 'node:assert/strict'
import { connect, type ClientHttp2Session } from 'node:http2'
import { describe, it } from 'node:test'
import { OpenAuthorizer } from '../../src/auth/open-authorizer.ts'
import { AccessPolicy } from '../../src/auth/rules.ts'
import { startFace, talk } from '../http/harness.ts'
import { startGuarded } from './guarded.ts'
import { basic } from './harness.ts'

const ALICE = basic('alice', 'wonderland')
const WRONG = basic('alice', 'x')

function statusOf(session: ClientHttp2Session, method: string, path: string, headers: Record<string, string | string[]> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': method, ':path': path, ...headers })
    stream.once('response', (answer: { ':status'?: number }) => resolve(answer[':status'] ?? 0)).once('error', reject).resume()
    stream.end()
  })
}

describe('a stranger', () => {
  it('gains nothing by what he writes into a request of HTTP/1', async (t) => {
    const { port } = await startGuarded(t)
    const asks = [
      'GET /v2/', 'GET /v2', 'GET //v2/', 'GET /v2//a/tags/list', 'GET /v2/a%2fb/tags/list', 'GET /v2/../v2/a/tags/list', 'GET /V2/a/tags/list',
      'GET http://x/v2/a/tags/list', 'GET /v2/_catalog?n=1', 'GET /v2/a/tags/list?x=/auth/token', 'GET /v2/a/manifests/auth/token', 'OPTIONS *', 'OPTIONS /v2/',
      'TRACE /v2/a/tags/list', 'HEAD /v2/a/blobs/sha256:0', 'GET /v2/a/tags/list/', 'GET /v2/%00/tags/list', 'GET /v2/a\\..\\b/tags/list', 'GET /auth/token/../../v2/', 'POST /v2/a/blobs/uploads/?mount=x&from=b',
    ]
    const headers = [
      '', 'Authorization:', 'Authorization: Basic', 'Authorization: Basic Og==', 'Authorization: Basic OjpAOg==', `Authorization: ${basic('anonymous', '')}`, `Authorization: ${basic('*', '*')}`, 'Authorization: Bearer',
      `Authorization: ${basic('alice\0', 'wonderland')}`, `Authorization: ${basic('alice', 'wonderland\0')}`, `Authorization: ${basic('ALICE', 'wonderland')}`, `Authorization: ${WRONG}\r\nAuthorization: ${ALICE}`,
      'X-Forwarded-User: alice', 'Cookie: user=alice', `Proxy-Authorization: ${ALICE}`, 'X-Original-URL: /auth/token', 'X-HTTP-Method-Override: GET', `Authorization: ${basic('alice', 'w'.repeat(8_000))}`,
    ]
    for (const ask of asks) {
      for (const header of ask === 'GET /v2/' ? headers : ['']) {
        const answer = await talk(port, `${ask} HTTP/1.1\r\nHost: disco\r\nConnection: close\r\n${header === '' ? '' : `${header}\r\n`}\r\n`)
        assert.match(answer, /^HTTP\/1.1 (?:401|404|400|429|413|414|431) /, `${ask} ${header}`)
      }
    }
  })

  it('gains nothing by methods that HTTP/2 lets him make up, and breaks nothing', async (t) => {
    const authorizer = new OpenAuthorizer(new AccessPolicy({ rules: [{ repository: ['app'], users: ['anonymous'], actions: ['pull'] }] }))
    const { base } = await startFace(t, () => ({ h2c: true, authorizer }))
    const session = connect(base)
    t.after(() => session.destroy())
    for (const method of ['constructor', '__proto__', 'toString', 'get', 'GET ', 'PROPFIND']) {
      const status = await statusOf(session, method, '/v2/secret/tags/list').catch(() => 400)
      assert.ok(status === 403 || status === 400, `${method} ${status}`)
    }
    assert.equal(await statusOf(session, 'GET', '/v2/app/tags/list', { authorization: ALICE }), 404)
  })
})
