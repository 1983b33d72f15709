import type { StoredObject } from './tree.ts'

/** Which objects there is room for. */
export class Room {
  readonly #maxBytes: number
  readonly #mayGo: (path: string) => boolean
  /** Those that may go, by when they were used last. */
  readonly #leaving = new Map<StoredObject, string>()
  #bytes = 0

  constructor(maxBytes: number, mayGo: (path: string) => boolean) {
    this.#maxBytes = maxBytes
    this.#mayGo = mayGo
  }

  take(path: string, object: StoredObject): void {
    this.#bytes += object.data.buffer.byteLength
    if (this.#maxBytes !== Infinity && this.#mayGo(path)) this.#leaving.set(object, path)
  }

  used(object: StoredObject): void {
    const path = this.#leaving.get(object)
    if (path === undefined) return
    this.#leaving.delete(object)
    this.#leaving.set(object, path)
  }

  free(object: StoredObject): void {
    this.#bytes -= object.data.buffer.byteLength
    this.#leaving.delete(object)
  }

  /** The paths of those for which there is no room, while they are made to go. */
  *inExcess(): Generator<string, void, void> {
    for (const path of this.#leaving.values()) {
      if (this.#bytes <= this.#maxBytes) return
      yield path
    }
  }
}
