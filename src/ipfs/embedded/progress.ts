/** How far something has come, for any number of who wait for more. */
export class Progress {
  #position = 0
  #state: 'running' | 'finished' | 'failed' = 'running'
  #reason: unknown
  #changed = Promise.withResolvers<void>()

  reach(position: number): void {
    if (position <= this.#position) return
    this.#position = position
    this.#wake()
  }

  finish(): void {
    this.#state = 'finished'
    this.#wake()
  }

  fail(reason: unknown): void {
    this.#state = 'failed'
    this.#reason = reason
    this.#wake()
  }

  /** Whether `beyond` would not wait. */
  isBeyond(position: number): boolean {
    return this.#position > position || this.#state !== 'running'
  }

  /** The position as soon as it is beyond `position`, or where it has ended. @throws the reason of its failure */
  async beyond(position: number, signal: AbortSignal | undefined): Promise<number> {
    const aborted = Promise.withResolvers<void>()
    const abort = (): void => aborted.resolve()
    signal?.addEventListener('abort', abort, { once: true })
    try {
      for (;;) {
        signal?.throwIfAborted()
        if (this.#state === 'failed') throw this.#reason
        if (this.#position > position || this.#state === 'finished') return this.#position
        await Promise.race([this.#changed.promise, aborted.promise])
      }
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  #wake(): void {
    const { resolve } = this.#changed
    this.#changed = Promise.withResolvers<void>()
    resolve()
  }
}
