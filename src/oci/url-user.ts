export interface WithoutUser {
  readonly url: URL
  /** The header of this name, for the user. Never to be logged. */
  readonly authorization: string | undefined
}

/** Takes `user:password@` out of a URL: to be shown, and for `fetch`, which refuses it and tells it in its error. */
export function withoutUser(given: URL | string): WithoutUser {
  const url = new URL(given)
  const authorization = basicOf(url)
  url.username = ''
  url.password = ''
  return { url, authorization }
}

/** RFC 7617 §2 */
function basicOf({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined
  return `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')}`
}

/** A `%` that begins nothing stays what it is, in a URL too. */
function decoded(text: string): string {
  return text.replaceAll(/(?:%[\da-f]{2})+/gi, (bytes) => Buffer.from(bytes.replaceAll('%', ''), 'hex').toString())
}
