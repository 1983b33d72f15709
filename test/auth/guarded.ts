import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createAccess } from '../../src/assembly/access.ts'
import { completeConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/options.ts'
import { silentLogger } from '../../src/telemetry/create-logger.ts'
import type { Logger } from '../../src/telemetry/logger.ts'
import { startFace, type Face } from '../http/harness.ts'
import { entry, scratch } from './harness.ts'

/** A manifest where it is text. */
type Body = string | Uint8Array<ArrayBuffer> | URLSearchParams

/** A registry in memory with an htpasswd file: alice has the password `wonderland`, bob `builder`. */
export interface Guarded extends Face {
  readonly data: string
  readonly htpasswd: string
  ask(method: string, path: string, authorization?: string, body?: Body): Promise<Response>
}

export async function startGuarded(t: TestContext, config: Partial<Config> = {}, log: Logger = silentLogger()): Promise<Guarded> {
  const data = config.data ?? (await scratch(t))
  const htpasswd = join(data, 'htpasswd')
  await writeFile(htpasswd, entry('alice', 'wonderland') + entry('bob', 'builder'))
  const { authorizer, services, close } = await createAccess(completeConfig({ data, ...('authHtpasswdPath' in config ? {} : { authHtpasswdPath: htpasswd, authHtpasswdRealm: 'test' }), ...config }), log)
  t.after(close)
  const face = await startFace(t, () => ({ authorizer, services, log }))
  const ask: Guarded['ask'] = (method, path, authorization, body) => {
    const type = typeof body === 'string' ? { 'content-type': 'application/vnd.oci.image.manifest.v1+json' } : {}
    const headers = { ...type, ...(authorization === undefined ? {} : { authorization }) }
    return fetch(new URL(path, face.base), { method, headers, ...(body === undefined ? {} : { body }) })
  }
  return { ...face, data, htpasswd, ask }
}

export interface Challenge {
  readonly scheme: string
  readonly [parameter: string]: string
}

/** As a client reads `WWW-Authenticate`. */
export function challengeOf({ headers }: Response): Challenge {
  const text = headers.get('www-authenticate') ?? ''
  const parameters = [...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name = '', value = '']) => [name, value.replaceAll(/\\(.)/g, '$1')])
  return { scheme: text.split(' ')[0] ?? '', ...Object.fromEntries(parameters) }
}

/** A client that does what Docker does: tries, is challenged, gets a token for the scopes of the challenge, tries again. */
export async function asDocker(guarded: Guarded, login: string | undefined, method: string, path: string, body?: Body): Promise<Response> {
  const first = await guarded.ask(method, path)
  if (first.status !== 401) return first
  const { realm = '', service = '', scope = '' } = challengeOf(first)
  const url = new URL(realm)
  url.search = String(new URLSearchParams([['service', service], ['account', 'whoever'], ...scope.split(' ').map((one): [string, string] => ['scope', one])]))
  const answer = await fetch(url, login === undefined ? {} : { headers: { authorization: login } })
  if (!answer.ok) return answer
  const { token } = (await answer.json()) as { token: string }
  return await guarded.ask(method, path, `Bearer ${token}`, body)
}
