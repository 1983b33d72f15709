/** A NUL, or a segment that is empty, `.` or `..`. */
const FAULT = /\0|(?:^|\/)\.{0,2}(?:\/|$)/

/**
 * Refuses what no store could keep: an empty path, empty or dotted segments, a NUL. A caller that lets one through has
 * forgotten to check its own input.
 */
export function assertPath(path: string): void {
  if (FAULT.test(path)) throw new TypeError(`not an object path: ${JSON.stringify(path)}`)
}

/** A path, or the root: the empty string. */
export function assertDirectory(directory: string): void {
  if (directory !== '') assertPath(directory)
}
