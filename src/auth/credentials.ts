/** What the header `Authorization` says. */
export type Credentials = Password | { readonly scheme: 'bearer'; readonly token: string } | { readonly scheme: 'other' }

export interface Password {
  readonly scheme: 'basic'
  readonly user: string
  readonly password: string
}

/** @returns undefined where there is no header, or an empty one */
export function readCredentials(authorization: string | undefined): Credentials | undefined {
  if (authorization === undefined || authorization === '') return undefined
  const [, scheme = '', value = ''] = /^(\S+) +(\S+) *$/.exec(authorization) ?? []
  if (/^bearer$/i.test(scheme)) return { scheme: 'bearer', token: value }
  if (!/^basic$/i.test(scheme)) return { scheme: 'other' }
  const text = Buffer.from(value, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  // RFC 7617 §2: "a user-id containing a colon character is invalid"
  return colon === -1 ? { scheme: 'other' } : { scheme: 'basic', user: text.slice(0, colon), password: text.slice(colon + 1) }
}
