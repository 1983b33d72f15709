import { SignJWT, exportJWK, generateKeyPair, type CryptoKey } from 'jose'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Certificates } from './certificates.ts'
import type { Login } from './place.ts'

export const TOKEN_SERVICE = 'disco.test'
const SECONDS = 300

/** A token server as Distribution's specification has it: whoever has the password may do what is asked for. */
export class TokenServer {
  readonly issuer: string = 'test issuer'
  /** JSON Web Key Set. */
  readonly jwks: string
  readonly realm: string
  readonly #server: Server
  readonly #key: CryptoKey

  private constructor(server: Server, key: CryptoKey, jwks: string) {
    this.#server = server
    this.#key = key
    this.jwks = jwks
    this.realm = `https://localhost:${(server.address() as AddressInfo).port}/token`
  }

  static async start(login: Login, certificates: Certificates): Promise<TokenServer> {
    const { publicKey, privateKey } = await generateKeyPair('ES256')
    const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'test', alg: 'ES256', use: 'sig' }] })
    const [cert, key] = await Promise.all([readFile(certificates.certificate), readFile(certificates.key)])
    const server = createServer({ cert, key }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const tokens = new TokenServer(server, privateKey, jwks)
    server.on('request', (request, response) => {
      void tokens.#answer(request, login).then(({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
      })
    })
    return tokens
  }

  /** @param scopes `repository:<name>:pull,push` */
  async token(scopes: readonly string[]): Promise<string> {
    const access = scopes.map((scope) => {
      const [, type, name, actions = ''] = /^([^:]+):(.+):([^:]*)$/.exec(scope) ?? []
      return { type, name, actions: actions.split(',') }
    })
    const claims = new SignJWT({ access }).setProtectedHeader({ alg: 'ES256', kid: 'test', typ: 'JWT' })
    return claims.setIssuer(this.issuer).setAudience(TOKEN_SERVICE).setSubject('user').setIssuedAt().setExpirationTime(`${SECONDS}s`).sign(this.#key)
  }

  async close(): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }

  /** GET with a Basic login; POST, which containerd and others try first, as OAuth 2 has it. */
  async #answer(request: IncomingMessage, login: Login): Promise<{ status: number; body: object }> {
    const form = request.method === 'POST'
    const asked = form ? new URLSearchParams(await text(request)) : new URL(request.url ?? '', this.realm).searchParams
    const basic = `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`
    const known = form
      ? asked.get('username') === login.username && asked.get('password') === login.password
      : request.headers.authorization === basic
    if (!known) return { status: 401, body: { errors: [{ code: 'UNAUTHORIZED' }] } }
    const token = await this.token(asked.getAll('scope').flatMap((scope) => scope.split(' ')).filter((scope) => scope !== ''))
    return { status: 200, body: { token, access_token: token, expires_in: SECONDS, issued_at: new Date().toISOString() } }
  }
}
