/** RFC 9110 §13.1.2: `If-None-Match` compares weakly, and `*` matches whatever is there. */
export function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header.split(',').some((part) => {
    const tag = part.trim()
    return tag === '*' || tag === etag || tag === `W/${etag}`
  })
}
