import { isRawList, isRawMap, type Raw } from './raw.ts'

/** Stands for a secret where a configuration is shown. */
export const HIDDEN = '***'
/** What opens doors in the query of a URL, as webhooks have it. */
const SECRET_QUERY = /([?&][^=&]*(?:token|passw|secret|sig|key|code|auth|cred)[^=&]*=)[^&#]*/gi
/** Names of headers and fields that hold what nobody else may read. */
const SECRET_NAME = /auth|cookie|passw|secret|token|key|credential|sig/i
/** Who logs in, in a URL. */
const USER_INFO = /^(\w+:\/\/)[^/?#\s]*@/

/** A value as others may see it. */
export function withoutSecrets(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(USER_INFO, `$1${HIDDEN}@`).replace(SECRET_QUERY, `$1${HIDDEN}`)
  if (Array.isArray(value)) return value.map(withoutSecrets)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, below]) => [key, SECRET_NAME.test(key) ? hidden(below) : withoutSecrets(below)]))
}

function hidden(value: unknown): unknown {
  return Array.isArray(value) ? value.map(() => HIDDEN) : HIDDEN
}

/** Where a secret is only shown to be there: a configuration that was printed is none that can be used. */
export function hiddenIn({ where, content }: Raw, isSecret: boolean): string[] {
  if (isRawMap(content)) return [...content].flatMap(([key, raw]) => hiddenIn(raw, isSecret || SECRET_NAME.test(key)))
  if (isRawList(content)) return content.flatMap((raw) => hiddenIn(raw, isSecret))
  if (content?.includes(HIDDEN) !== true) return []
  return isSecret ? (content === HIDDEN ? [where] : []) : isShown(content) ? [where] : []
}

function isShown(text: string): boolean {
  return text.match(USER_INFO)?.[0].endsWith(`//${HIDDEN}@`) === true || [...text.matchAll(SECRET_QUERY)].some(([query]) => query.endsWith(`=${HIDDEN}`))
}
