import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node, type YAMLMap } from 'yaml'
import type { ConfigProblem } from './problem.ts'
import { isRawList, isRawMap, type Raw, type RawMap } from './raw.ts'

/** Deeper than any configuration; what refers to itself ends here. */
const DEEPEST = 32

export interface ParsedYaml {
  /** The whole text; undefined where it is no YAML. */
  readonly raw: Raw | undefined
  readonly problems: readonly ConfigProblem[]
  /** What stands at a place: `notifications.endpoints[0].url`. */
  readonly keys: ReadonlyMap<string, string>
}

/** YAML with the line and column of each part: of its key, or of the item of a list. `name` stands before them. */
export function parseYaml(text: string, name: string): ParsedYaml {
  const lines = new LineCounter()
  // Of keys that stand twice the parser tells neither which they are nor what else is wrong.
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false })
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${name}:${line}:${col}`
  }
  const problems = document.errors.map(({ pos, message }) => ({ where: place(pos[0]), reason: message.split(' at line')[0] ?? message }))
  if (problems.length > 0) return { raw: undefined, problems, keys: new Map() }
  const reader = new Reader(document, place)
  try {
    const raw = reader.read(document.contents, { where: place(0), path: '', depth: 0 })
    return { raw, problems: [...reader.twice].map(([where, reason]) => ({ where, reason })), keys: reader.keys }
  } catch (error) {
    return { raw: undefined, problems: [{ where: name, reason: (error as Error).message }], keys: new Map() }
  }
}

interface Spot {
  readonly where: string
  /** `notifications.endpoints[0]` */
  readonly path: string
  readonly depth: number
}

class Reader {
  /** By their places; of an item and its first key, which begin together, the item. */
  readonly keys = new Map<string, string>()
  /** Keys that were there already, by their places. */
  readonly twice = new Map<string, string>()
  readonly #document: Document
  readonly #place: (offset: number) => string

  constructor(document: Document, place: (offset: number) => string) {
    this.#document = document
    this.#place = place
  }

  read(node: Node | null, { where, path, depth }: Spot): Raw {
    if (depth > DEEPEST) throw new Error(`is nested more than ${DEEPEST} deep`)
    if (path !== '' && !this.keys.has(where)) this.keys.set(where, path)
    if (isAlias(node)) return this.read(node.resolve(this.#document) ?? null, { where, path, depth: depth + 1 })
    if (isMap(node)) return { where, content: this.#entries(node, path, depth + 1) }
    if (isSeq(node)) {
      const items = node.items as (Node | null)[]
      return { where, content: items.map((item, index) => this.read(item, { where: this.#placeOf(item) ?? where, path: `${path}[${index}]`, depth: depth + 1 })) }
    }
    if (!isScalar(node) || node.value === null) return { where, content: undefined }
    return { where, content: typeof node.value === 'string' ? node.value : (node.source ?? JSON.stringify(node.value)) }
  }

  /** With what is merged by `<<`, which what stands beside it overrides. */
  #entries(map: YAMLMap, path: string, depth: number): RawMap {
    const own = new Map<string, Raw>()
    const merged = new Map<string, Raw>()
    for (const { key, value } of map.items) {
      const name = isScalar(key) ? (key.source ?? '') : ''
      const below = name === '<<' ? path : `${path === '' ? '' : `${path}.`}${name}`
      const raw = this.read(value as Node | null, { where: this.#placeOf(key as Node) ?? '', path: below, depth })
      if (name !== '<<') own.set(name, this.#after(own.get(name), raw, below))
      else for (const source of isRawList(raw.content) ? raw.content : [raw]) {
        if (isRawMap(source.content)) for (const [inherited, item] of source.content) merged.set(inherited, item)
      }
    }
    return new Map([...merged, ...own])
  }

  /** A key that stands twice is a fault, and what is in either may be others. */
  #after(first: Raw | undefined, raw: Raw, path: string): Raw {
    if (first === undefined) return raw
    this.twice.set(raw.where, `${path} stands twice, first at ${first.where}: put what belongs to it in one place`)
    return isRawMap(first.content) && isRawMap(raw.content) ? { ...raw, content: new Map([...first.content, ...raw.content]) } : raw
  }

  #placeOf(node: Node | null): string | undefined {
    const offset = node?.range?.[0]
    return offset === undefined ? undefined : this.#place(offset)
  }
}
