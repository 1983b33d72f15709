/** Where what comes begins in the object, in bytes: a server that leaves out the range that was asked for says nothing, and gives it from its start. */
export function startIn(contentRange: string | null | undefined): number {
  const [, start] = /^bytes (\d+)-/.exec(contentRange ?? '') ?? []
  return start === undefined ? 0 : Number(start)
}
