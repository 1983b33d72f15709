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

  set(path: string, object: StoredObject): void {
    let node = this.#root
    for (const segment of path.split('/')) {
      let child = node.children.get(segment)
      if (child === undefined) node.children.set(segment, (child = { object: undefined, children: new Map() }))
      node = child
    }
    node.object = object
  }

  /** The object and all below it; directories in which nothing is left go as well. */
  delete(path: string): void {
    const segments = path.split('/')
    const above: Node[] = [this.#root]
    for (const segment of segments) {
      const child = above.at(-1)?.children.get(segment)
      if (child === undefined) return
      above.push(child)
    }
    for (let depth = segments.length - 1; depth >= 0; depth--) {
      const parent = above[depth]
      parent?.children.delete(segments[depth] ?? '')
      if (parent?.object !== undefined || (parent?.children.size ?? 0) > 0) return
    }
  }

  #node(path: string): Node | undefined {
    let node: Node | undefined = this.#root
    for (const segment of path.split('/')) node = node?.children.get(segment)
    return node
  }
}
