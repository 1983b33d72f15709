/** A digest; undefined where it is gone. */
export type TagValue = string | undefined

interface Write {
  readonly value: TagValue
  readonly begun: number
  /** Infinity while it goes on. */
  ended: number
  acknowledged: boolean
}

/** Everything that was asked of one tag, and so what may be read of it. */
export class TagHistory {
  readonly #writes: Write[] = [{ value: undefined, begun: -Infinity, ended: -Infinity, acknowledged: true }]

  /** A write that fails may have happened all the same. */
  async during(value: TagValue, work: () => Promise<void>): Promise<void> {
    const write: Write = { value, begun: performance.now(), ended: Infinity, acknowledged: false }
    this.#writes.push(write)
    try {
      await work()
      write.acknowledged = true
    } finally {
      write.ended = performance.now()
    }
  }

  /** What a read that began and ended at these times may have found: nothing that was overwritten before it began. */
  possible(begun: number, ended: number): ReadonlySet<TagValue> {
    const settled = this.#writes.filter((write) => write.acknowledged && write.ended < begun)
    const latest = Math.max(...settled.map((write) => write.begun))
    return new Set(this.#writes.filter((write) => write.begun <= ended && write.ended >= latest).map(({ value }) => value))
  }
}
