const UNPRINTABLE = /[^\x20-\x7e]/g
const SPECIAL = /["\\]/g

/** Bytes of text; escaped it is twice as long at most. */
const MAX_TEXT = 2000

/**
 * The header `Warning` that carries a text.
 *
 * distribution-spec §Warnings: `Warning` headers MUST specify a `warn-code` of `299` and a `warn-agent` of `-`, and MUST
 * NOT specify a `warn-date` value. A registry MUST NOT send more than 4096 bytes of warning data. RFC 9110 §5.6.4: in a
 * quoted string a backslash stands before quotes and backslashes.
 */
export function warningHeader(text: string): string {
  return `299 - "${text.slice(0, MAX_TEXT).replaceAll(UNPRINTABLE, '?').replaceAll(SPECIAL, '\\$&')}"`
}
