const DOTS = /^\.\.?$/

/**
 * Refuses what no store could keep: an empty path, empty or dotted segments, a NUL. A caller that lets one through has
 * forgotten to check its own input.
 */
export function assertPath(path: string): void {
  const faulty = path.includes('\0') || path.split('/').some((segment) => segment === '' || DOTS.test(segment))
  if (faulty) throw new TypeError(`not an object path: ${JSON.stringify(path)}`)
}

/** A path, or the root: the empty string. */
export function assertDirectory(directory: string): void {
  if (directory !== '') assertPath(directory)
}
