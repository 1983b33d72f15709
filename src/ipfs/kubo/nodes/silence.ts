import { afterSilence } from '../../gateway/after-silence.ts'
import { KuboIncompleteError } from './errors.ts'

export interface SilenceOptions {
  /** Milliseconds of silence after which the node is asked whether it is there at all. */
  readonly patience: number
  /** … after which it is given up, though it is there: something in it is stuck. */
  readonly limit: number
  /** Rejects when the node is not there. */
  readonly isThere: () => Promise<unknown>
  /** Asked of one that is there. @throws KuboIncompleteError where nothing will come */
  readonly doubt?: (() => Promise<void>) | undefined
  /** Ends the call. */
  readonly cut: (reason: Error) => void
}

/**
 * Watches one call of a node that may hang without hanging up, as a process that is stopped does, or a machine that is
 * gone. What a call may take is not known (a search, a walk, a collection of garbage that it waits for): so a node that
 * is silent is asked something else, and who answers that is waited for.
 */
export class Silence {
  readonly #options: SilenceOptions
  #last: number = performance.now()
  #resting = false
  #ended = false
  #callOff: () => void

  constructor(options: SilenceOptions) {
    this.#options = options
    this.#callOff = this.#watch()
  }

  /** Something has come, or was taken; from here on more is waited for. */
  heard(): void {
    this.#last = performance.now()
    this.#resting = false
  }

  /** Nothing is waited for: it is our turn. */
  rest(): void {
    this.#resting = true
  }

  end(): void {
    this.#ended = true
    this.#callOff()
  }

  #watch(): () => void {
    const began = performance.now()
    return afterSilence(this.#options.patience, () => (this.#resting ? performance.now() : Math.max(began, this.#last)), () => void this.#ask())
  }

  async #ask(): Promise<void> {
    const { limit, isThere, doubt, cut } = this.#options
    const heard = this.#last
    const failure = await isThere().then(() => (performance.now() - heard >= limit ? 'though it is there' : undefined), () => 'nor to anything else')
    const proof = failure === undefined ? await doubt?.().catch((error: unknown) => error) : undefined
    if (this.#ended) return
    const isSilent = this.#last === heard && !this.#resting
    if (isSilent && proof instanceof KuboIncompleteError) cut(proof)
    else if (failure === undefined || !isSilent) this.#callOff = this.#watch()
    else cut(new Error(`nothing for ${Math.round((performance.now() - heard) / 1000)} s, ${failure}`))
  }
}
