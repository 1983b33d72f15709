/** What a source says in one place: a text, a list, keys with what is below them, or nothing. */
export interface Raw {
  /** `--port`, `DISCO_PORT`, `config.yaml:3:5`. */
  readonly where: string
  readonly content: string | readonly Raw[] | ReadonlyMap<string, Raw> | undefined
}

export type RawMap = ReadonlyMap<string, Raw>

export function isRawMap(content: Raw['content']): content is RawMap {
  return content instanceof Map
}

export function isRawList(content: Raw['content']): content is readonly Raw[] {
  return Array.isArray(content)
}

/** `texts` as a list, all from one place. */
export function rawTexts(texts: readonly string[], where: string): Raw {
  return { where, content: texts.map((content) => ({ where, content })) }
}

/**
 * `raw` with `part` in place of what is at `path`: Distribution's way to override an element of a list or one key of a
 * map from the environment.
 *
 * @throws Error where a list is meant and the segment is no index of it or the next
 */
export function withPart(raw: Raw | undefined, path: readonly string[], part: Raw): Raw {
  const [segment, ...rest] = path
  if (segment === undefined) return part
  const content = raw?.content
  const where = raw?.where ?? part.where
  if (isRawList(content) || (content === undefined && /^\d+$/.test(segment))) {
    const items = content ?? []
    const index = Number(segment)
    if (!/^\d+$/.test(segment) || index > items.length) throw new Error(`'${segment}' is not an index from 0 to ${items.length}`)
    return { where, content: [...items.slice(0, index), withPart(items[index], rest, part), ...items.slice(index + 1)] }
  }
  const entries: RawMap = isRawMap(content) ? content : new Map()
  const key = [...entries.keys()].find((candidate) => candidate.toUpperCase() === segment.toUpperCase()) ?? segment.toLowerCase()
  return { where, content: new Map([...entries, [key, withPart(entries.get(key), rest, part)]]) }
}
