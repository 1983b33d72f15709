/** A part of some content: `length` bytes from `start` on. */
export interface Span {
  /** First byte. */
  readonly start: number
  /** Bytes, at least one. */
  readonly length: number
}

const SINGLE_RANGE = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i
/** distribution-spec §Pushing a blob in chunks: `<range>` MUST match `^[0-9]+-[0-9]+$`. */
const CONTENT_RANGE = /^(\d+)-(\d+)$/

/**
 * What a `Range` header asks of content of `size` bytes.
 *
 * RFC 9110 §14.2: a server MAY ignore the Range header field, and does so where it is malformed, of another unit, or
 * of several ranges (no registry client sends these): `whole`. It MAY ignore or reject one whose end is before its
 * start; clients are better told of that.
 */
export function parseRange(header: string | undefined, size: number): Span | 'whole' | 'unsatisfiable' {
  if (header === undefined) return 'whole'
  const [, first, last] = SINGLE_RANGE.exec(header) ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return 'whole'
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? 'unsatisfiable' : { start: size - length, length }
  }
  const start = Number(first)
  const end = last === '' ? Infinity : Number(last)
  if (end < start || start >= size) return 'unsatisfiable'
  return { start, length: Math.min(end, size - 1) - start + 1 }
}

/** What the `Content-Range` of a chunk says, both ends inclusive; undefined where it is malformed. */
export function parseContentRange(header: string): Span | undefined {
  const [, first, last] = CONTENT_RANGE.exec(header) ?? []
  const start = Number(first)
  const end = Number(last)
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || end < start) return undefined
  return { start, length: end - start + 1 }
}

/** The `Range` of an upload that has `size` bytes; what clients know for an empty one is `0-0`, as Distribution says it. */
export function uploadRange(size: number): string {
  return `0-${Math.max(size - 1, 0)}`
}
