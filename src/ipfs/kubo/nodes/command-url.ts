/** Options of a command by their names in Kubo's reference; `arg` may be several. */
export type KuboOptions = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

/** @param base ends with `/` */
export function commandUrl(base: URL, command: string, options: KuboOptions): URL {
  const url = new URL(`api/v0/${command}`, base)
  for (const [name, value] of Object.entries(options)) {
    for (const one of Array.isArray(value) ? (value as readonly string[]) : [value]) if (one !== undefined) url.searchParams.append(name, String(one))
  }
  return url
}
