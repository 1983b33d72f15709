/** Beyond these UTF-16 and UTF-8 sort differently. */
const UNLIKE = /[\uD800-\uFFFF]/

/** Names in the order of their UTF-8 bytes. */
export function sortedNames(names: Iterable<string>): string[] {
  const sorted = [...names]
  return sorted.some((name) => UNLIKE.test(name)) ? sorted.sort(compareBytes) : sorted.sort()
}

/** The first index in sorted `names` that sorts after `name`. */
export function indexAfter(names: readonly string[], name: string): number {
  let [low, high] = [0, names.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareBytes(names[middle] ?? '', name) > 0) high = middle
    else low = middle + 1
  }
  return low
}

function compareBytes(a: string, b: string): number {
  if (UNLIKE.test(a) || UNLIKE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b))
  if (a === b) return 0
  return a < b ? -1 : 1
}
