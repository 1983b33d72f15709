import type { ImageIndexer } from '../global/image-indexer.ts'
import { Rounds } from '../storage/rounds.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Background } from './storage.ts'

/** Milliseconds between two looks at least; and how much longer than one that found nothing took, so that large stores are not always looked at. */
const LEAST_PAUSE = 10_000
const PAUSE_FACTOR = 50

/**
 * Gives an index that is kept apart from its store what it lacks: all at the start where it is new, and what others put
 * into the store from then on, so that any of several Discos serves the images of all to peers.
 */
export class IndexCompletion implements Background {
  readonly #images: ImageIndexer
  readonly #log: Logger
  readonly #rounds = new Rounds((signal) => this.#round(signal))

  constructor(images: ImageIndexer, log: Logger) {
    this.#images = images
    this.#log = log
  }

  start(): void {
    this.#rounds.start()
  }

  stop(): Promise<void> {
    return this.#rounds.stop()
  }

  async #round(signal: AbortSignal): Promise<number> {
    const begun = performance.now()
    try {
      const found = await this.#images.complete({ signal })
      if (found === 0) return Math.max(LEAST_PAUSE, PAUSE_FACTOR * (performance.now() - begun))
      this.#log.info({ images: found }, 'indexed the blocks of images that were here')
    } catch (err) {
      if (!signal.aborted) this.#log.warn({ err }, 'could not look for images that the index lacks')
    }
    return LEAST_PAUSE
  }
}
