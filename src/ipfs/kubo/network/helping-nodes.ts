import type { AbortOptions } from '../../../storage/object-store.ts'
import type { Arrival } from './arrival.ts'
import type { KuboHold } from '../nodes/hold.ts'
import { HEDGE } from './source.ts'

/** Nodes that reach others than the one that wants a DAG: when nothing comes, they fetch it as well, and it gets it from them. */
export class HelpingNodes {
  readonly #holds: readonly KuboHold[]
  readonly #callOff: () => void
  #fetching: readonly Promise<void>[] = []

  /** @param helps what each would have to fetch */
  constructor(helps: readonly KuboHold[], arrived: Arrival, options: AbortOptions) {
    this.#holds = helps
    // What becomes of it is seen where it is wanted.
    this.#callOff = arrived.watch(HEDGE, () => {
      this.#fetching = this.#holds.map((hold) => hold.fetch(() => {}, options).catch(() => {}))
    })
  }

  /** Call it when the signal has aborted, or the DAG is there. */
  async end(): Promise<void> {
    this.#callOff()
    await Promise.all(this.#fetching)
    await Promise.all(this.#holds.map((hold) => hold.release().catch(() => {})))
  }
}
