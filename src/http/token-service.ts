import type { Scope } from '../auth/authorizer.ts'
import type { Password } from '../auth/credentials.ts'
import { parseScopes } from '../auth/scope-text.ts'
import type { TokenDesk } from '../auth/token-desk.ts'
import { RegistryError } from '../oci/errors.ts'
import { json, type Answer } from './answer.ts'
import type { HttpRequest } from './message.ts'
import { claimOf, type Service } from './reception.ts'
import { readAll, type RequestBody } from './request-body.ts'

const MAX_FORM = 64 * 1024

/** What is asked for, whichever way. */
interface Wish {
  readonly scopes: readonly Scope[]
  readonly password?: Password | undefined
}

/** Gives tokens: GET as Distribution's token specification has it, POST as its OAuth 2 one has. */
export function tokenService(desk: TokenDesk): Service {
  return async (request, signal, body, client): Promise<Answer> => {
    const { scopes, password } = await wishOf(request, body)
    const grant = await desk.grant({ claim: claimOf(request, client), password, scopes }, { signal })
    // RFC 6749 §5.1: "The authorization server MUST include the HTTP "Cache-Control" response header field with a value of "no-store"".
    return json(200, grant, { 'Cache-Control': 'no-store' })
  }
}

async function wishOf({ method, url = '' }: HttpRequest, body: RequestBody): Promise<Wish> {
  if (method === 'GET' || method === 'HEAD') {
    const mark = url.indexOf('?')
    return { scopes: parseScopes(new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1)).getAll('scope')) }
  }
  if (method !== 'POST') throw new RegistryError('UNSUPPORTED', `${method} is not supported here`, { headers: { Allow: 'GET, HEAD, POST' } })
  return readForm(new TextDecoder().decode(await readAll(body, MAX_FORM, () => new RegistryError('SIZE_INVALID', 'the form is too large', { status: 413 }))))
}

/** RFC 6749 §4.3.2, `grant_type=password`; whoever comes with a refresh token has it from somebody else. */
function readForm(text: string): Wish {
  const form = new URLSearchParams(text)
  const scopes = parseScopes(form.getAll('scope'))
  const grant = form.get('grant_type')
  if (grant !== 'password') throw new RegistryError('UNSUPPORTED', 'only grant_type=password is supported', { status: 400 })
  return { scopes, password: { scheme: 'basic', user: form.get('username') ?? '', password: form.get('password') ?? '' } }
}
