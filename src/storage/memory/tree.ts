import { assertDirectory, assertPath } from '../object-path.ts'

export interface StoredObject {
  readonly data: Uint8Array
  /** In milliseconds since the epoch. */
  readonly modifiedAt: number
}

interface Node {
  object: StoredObject | undefined
  readonly children: Map<string, Node>
}

/** Objects by their paths, in directories, so that looking at one costs what is in it. */
export class ObjectTree {
  readonly #root: Node = { object: undefined, children: new Map() }

  get(path: string): StoredObject | undefined {
    assertPath(path)
    return this.#node(path)?.object
  }

  /** Names directly below a directory, in no order. */
  names(directory: string): Iterable<string> {
    assertDirectory(directory)
    return (directory === '' ? this.#root : this.#node(directory))?.children.keys() ?? []
  }

  /** Gives what was there. */
  set(path: string, object: StoredObject): StoredObject | undefined {
    let node = this.#root
    for (const segment of path.split('/')) {
      let child = node.children.get(segment)
      if (child === undefined) node.children.set(segment, (child = { object: undefined, children: new Map() }))
      node = child
    }
    const before = node.object
    node.object = object
    return before
  }

  /** The object and all below it, which are given; directories in which nothing is left go as well. */
  delete(path: string): StoredObject[] {
    const segments = path.split('/')
    const above: Node[] = [this.#root]
    for (const segment of segments) {
      const child = above.at(-1)?.children.get(segment)
      if (child === undefined) return []
      above.push(child)
    }
    const gone = objectsIn(above.at(-1))
    for (let depth = segments.length - 1; depth >= 0; depth--) {
      const parent = above[depth]
      parent?.children.delete(segments[depth] ?? '')
      if (parent?.object !== undefined || (parent?.children.size ?? 0) > 0) break
    }
    return gone
  }

  #node(path: string): Node | undefined {
    let node: Node | undefined = this.#root
    for (const segment of path.split('/')) node = node?.children.get(segment)
    return node
  }
}

function objectsIn(node: Node | undefined): StoredObject[] {
  const objects: StoredObject[] = []
  const nodes = node === undefined ? [] : [node]
  for (let next = nodes.pop(); next !== undefined; next = nodes.pop()) {
    if (next.object !== undefined) objects.push(next.object)
    nodes.push(...next.children.values())
  }
  return objects
}
