import { setTimeout as sleep } from 'node:timers/promises'
import { rescan, type RescanParts } from '../global/rescan.ts'
import type { Background } from './storage.ts'

/** Milliseconds between two looks at least; and how much longer than one that found nothing took, so that large stores are not always looked at. */
const LEAST_PAUSE = 10_000
const PAUSE_FACTOR = 50

/**
 * Gives an index that is kept apart from its store what it lacks: all at the start where it is new, and what others put
 * into the store from then on, so that any of several Discos serves the images of all to peers.
 */
export class IndexCompletion implements Background {
  readonly #parts: RescanParts
  readonly #stopped = new AbortController()
  #running: Promise<void> = Promise.resolve()

  constructor(parts: Omit<RescanParts, 'hopeless'>) {
    this.#parts = { ...parts, hopeless: new Set() }
  }

  start(): void {
    this.#running = this.#run(this.#stopped.signal)
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#running
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { log } = this.#parts
    while (!signal.aborted) {
      const begun = performance.now()
      let pause = LEAST_PAUSE
      try {
        const found = await rescan(this.#parts, { signal })
        if (found > 0) log.info({ images: found }, 'indexed the blocks of images that were here')
        else pause = Math.max(pause, PAUSE_FACTOR * (performance.now() - begun))
      } catch (err) {
        if (!signal.aborted) log.warn({ err }, 'could not look for images that the index lacks')
      }
      await sleep(pause, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }
}
