import { assertDirectory, assertPath } from '../object-path.ts'
import type { SqlValue } from './statement.ts'

const SLASH = 0x2f

/**
 * A path as the tables sort it: UTF-8 with a NUL for each slash. A NUL sorts before every byte of a name, so all that is
 * below a child stands together, right after the child itself, and the children stand in the order of their names.
 */
export function keyOf(path: string): Buffer {
  assertPath(path)
  const key = Buffer.from(path)
  for (let at = 0; at < key.length; at++) if (key[at] === SLASH) key[at] = 0
  return key
}

/** All keys below a path: from `start` on, up to but without `end`. */
export function keysBelow(path: string): { readonly start: Buffer; readonly end: Buffer } {
  const key = keyOf(path)
  return { start: Buffer.concat([key, Buffer.of(0)]), end: Buffer.concat([key, Buffer.of(1)]) }
}

const NAME = 'substr(path, ?4)'
const CHILD = `iif(instr(${NAME}, x'00') = 0, ${NAME}, substr(path, ?4, instr(${NAME}, x'00') - 1))`

/** The children of a directory: for each, one seek to the first key behind the one before and all that is below it. */
export const CHILDREN: string = `
  WITH RECURSIVE child(path) AS (
    SELECT min(path) FROM objects WHERE path >= ?1 AND path < ?2
    UNION ALL
    SELECT (
      SELECT min(path) FROM objects
      WHERE path >= CAST(substr(child.path, 1, ?4 - 1) || ${CHILD.replaceAll('(path', '(child.path')} || x'01' AS BLOB) AND path < ?2
    )
    FROM child WHERE child.path IS NOT NULL
  )
  SELECT CAST(${CHILD} AS TEXT) AS name FROM child WHERE path IS NOT NULL LIMIT ?3`

/** Parameters of `CHILDREN`. */
export function childrenOf(directory: string, limit: number, after?: string): SqlValue[] {
  assertDirectory(directory)
  const prefix = directory === '' ? Buffer.alloc(0) : keysBelow(directory).start
  const start = after === undefined ? Buffer.concat([prefix, Buffer.of(1)]) : Buffer.concat([prefix, Buffer.from(after), Buffer.of(1)])
  const end = directory === '' ? Buffer.of(0xff) : keysBelow(directory).end
  return [start, end, limit, prefix.byteLength + 1]
}
