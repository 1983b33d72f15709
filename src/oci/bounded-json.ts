/** Objects and arrays in each other at most; a manifest needs five. */
export const MAX_JSON_NESTING = 64
/**
 * Values and keys at most, roughly: 2,000 descriptors with a dozen annotations each have 60,000. JSON.parse takes some
 * 20 ms for so many; for the millions that 4 MiB can hold it would keep everybody waiting for a second, and take GBs.
 */
export const MAX_JSON_VALUES = 150_000

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
/** `[` and `{`, `]` and `}`, but for one bit. */
const CASE = 0x20
const OPENER = 0x7b
const CLOSER = 0x7d

/**
 * Parses JSON in UTF-8 that others wrote, once a look at its bytes has told that this costs little.
 *
 * @throws RangeError when there is too much in it; SyntaxError or TypeError when it is none
 */
export function parseBoundedJson(bytes: Uint8Array): unknown {
  checkShape(bytes)
  return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
}

/** Right for what is JSON; of anything else JSON.parse finds the first fault. */
function checkShape(bytes: Uint8Array): void {
  let depth = 0
  let values = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (byte === QUOTE) at = endOfString(bytes, at + 1)
    else if ((byte | CASE) === OPENER) {
      values++
      if (++depth > MAX_JSON_NESTING) throw new RangeError(`nested more than ${MAX_JSON_NESTING} deep`)
    } else if ((byte | CASE) === CLOSER) depth--
    else if (byte === COMMA || byte === COLON) values++
    if (values > MAX_JSON_VALUES) throw new RangeError(`more than ${MAX_JSON_VALUES} keys and values`)
  }
}

/** Where the closing quote is. */
function endOfString(bytes: Uint8Array, start: number): number {
  let at = start
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1
  return at
}
