import { indexAfter, sortedNames } from '../name-order.ts'
import type { AbortOptions, ByteRange, ListOptions } from '../object-store.ts'

/** Bytes given to a reader at once. */
const SLICE = 1024 * 1024

/** One page of `names` in the order of their bytes. */
export function pageOf(names: Iterable<string>, { after, limit = 1000 }: ListOptions): string[] {
  const sorted = sortedNames(names)
  const start = after === undefined ? 0 : indexAfter(sorted, after)
  return sorted.slice(start, start + limit)
}

/** A range of what `bytes` gives, which may grow in the meantime. */
export async function* slices(
  bytes: () => Uint8Array,
  { start = 0, length = Infinity, signal }: ByteRange & AbortOptions,
): AsyncGenerator<Uint8Array, void, void> {
  signal?.throwIfAborted()
  let position = start
  for (;;) {
    const slice = bytes().slice(position, Math.min(start + length, position + SLICE))
    if (slice.byteLength === 0) return
    yield slice
    signal?.throwIfAborted()
    position += slice.byteLength
  }
}
