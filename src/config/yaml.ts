import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node, type YAMLMap } from 'yaml'
import type { ConfigProblem } from './problem.ts'
import type { Raw } from './raw.ts'

/** Deeper than any configuration; what refers to itself ends here. */
const DEEPEST = 32

export interface ParsedYaml {
  /** The whole text; undefined where it is no YAML. */
  readonly raw: Raw | undefined
  readonly problems: readonly ConfigProblem[]
}

/** YAML with the line and column of each part: of its key, or of the item of a list. `name` stands before them. */
export function parseYaml(text: string, name: string): ParsedYaml {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${name}:${line}:${col}`
  }
  const problems = document.errors.map(({ pos, message }) => ({ where: place(pos[0]), reason: message.split(' at line')[0] ?? message }))
  if (problems.length > 0) return { raw: undefined, problems }
  try {
    return { raw: new Reader(document, place).read(document.contents, place(0), 0), problems }
  } catch (error) {
    return { raw: undefined, problems: [{ where: name, reason: (error as Error).message }] }
  }
}

class Reader {
  readonly #document: Document
  readonly #place: (offset: number) => string

  constructor(document: Document, place: (offset: number) => string) {
    this.#document = document
    this.#place = place
  }

  read(node: Node | null, where: string, depth: number): Raw {
    if (depth > DEEPEST) throw new Error(`is nested more than ${DEEPEST} deep`)
    if (isAlias(node)) return this.read(node.resolve(this.#document) ?? null, where, depth + 1)
    if (isMap(node)) return { where, content: this.#entries(node, depth) }
    if (isSeq(node)) {
      const items = node.items as (Node | null)[]
      return { where, content: items.map((item) => this.read(item, this.#placeOf(item) ?? where, depth + 1)) }
    }
    if (!isScalar(node) || node.value === null) return { where, content: undefined }
    return { where, content: typeof node.value === 'string' ? node.value : (node.source ?? JSON.stringify(node.value)) }
  }

  /** With what is merged by `<<`, which what stands beside it overrides. */
  #entries(map: YAMLMap, depth: number): ReadonlyMap<string, Raw> {
    const own = new Map<string, Raw>()
    const merged = new Map<string, Raw>()
    for (const { key, value } of map.items) {
      const name = isScalar(key) ? (key.source ?? '') : ''
      const raw = this.read(value as Node | null, this.#placeOf(key as Node) ?? '', depth + 1)
      if (name !== '<<') own.set(name, raw)
      else for (const source of Array.isArray(raw.content) ? (raw.content as Raw[]) : [raw]) {
        if (source.content instanceof Map) for (const [below, item] of source.content) merged.set(below, item)
      }
    }
    return new Map([...merged, ...own])
  }

  #placeOf(node: Node | null): string | undefined {
    const offset = node?.range?.[0]
    return offset === undefined ? undefined : this.#place(offset)
  }
}
