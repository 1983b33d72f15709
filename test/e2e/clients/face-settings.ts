import { hash } from 'bcryptjs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Certificates } from './certificates.ts'
import type { Face } from './faces.ts'
import type { Login } from './place.ts'
import { TOKEN_SERVICE, type TokenServer } from './token-server.ts'

export interface FaceGround {
  readonly certificates: Certificates
  readonly login: Login
  readonly tokens: TokenServer
}

/** Writes the configuration file of a server with this face, in Distribution's format, into a directory of its own. */
export async function writeSettings(directory: string, face: Face, { certificates, login, tokens }: FaceGround): Promise<string> {
  const [passwords, jwks, file] = [join(directory, 'htpasswd'), join(directory, 'jwks.json'), join(directory, 'config.yml')]
  await writeFile(passwords, `${login.username}:${await hash(login.password, 5)}\n`)
  await writeFile(jwks, tokens.jwks)
  const { certificate, key } = certificates
  const htpasswd = { htpasswd: { realm: 'disco', path: passwords } }
  const token = { token: { realm: tokens.realm, service: TOKEN_SERVICE, issuer: tokens.issuer, jwks } }
  // YAML is a superset of JSON.
  await writeFile(file, JSON.stringify({
    version: 0.1,
    ...(face.tls ? { http: { tls: { certificate, key } } } : {}),
    ...(face.auth === 'none' ? {} : { auth: face.auth === 'token' ? token : htpasswd }),
    ...(face.auth === 'own-token' ? { disco: { anonymouspull: true } } : {}),
    // Its second registry has no token for the gateway of the first, which therefore gives images to everybody who knows their CID.
    ...(face.auth === 'token' ? { access: [{ repository: ['<cid>'], users: ['anonymous'], actions: ['pull'] }, { repository: ['**'], users: ['*'], actions: ['*'] }] } : {}),
  }))
  return file
}
