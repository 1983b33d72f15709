import { setTimeout as sleep } from 'node:timers/promises'
import { RegistryClient, type Answer } from '../../harness/registry-client.ts'
import type { Figures } from './figures.ts'

/** The longest pause between two tries, and how many tries there are: together longer than a killed server's locks last. */
const PAUSE_MS = 4_000
const TRIES = 14

/** Nobody answered, or with 5xx: the same again may succeed. */
export class PassingError extends Error {
  override readonly name = 'PassingError'
}

/** Does what clients do when a server goes: reads are asked for again, and of the rest the caller hears. */
export class PatientClient extends RegistryClient {
  readonly #figures: Figures
  readonly #givesUp: AbortSignal

  /** @param givesUp when nothing is worth another try any more */
  constructor(url: string, figures: Figures, givesUp: AbortSignal) {
    super(url)
    this.#figures = figures
    this.#givesUp = givesUp
  }

  override request(method: string, path: string, init: RequestInit = {}): Promise<Answer> {
    const once = (): Promise<Answer> => this.#once(method, path, init)
    return method === 'GET' || method === 'HEAD' ? this.persist(once) : once()
  }

  /** Does something anew as long as it fails with what passes. @param passes @default what nobody answered, and 5xx */
  async persist<T>(work: (tried: number) => Promise<T>, passes: (error: unknown) => boolean = (error) => error instanceof PassingError): Promise<T> {
    for (let tried = 1; ; tried++) {
      try {
        return await work(tried)
      } catch (error) {
        if (!passes(error) || tried === TRIES || this.#givesUp.aborted) throw error
        this.#figures.count('retries')
      }
      await sleep((0.5 + Math.random() / 2) * Math.min(PAUSE_MS, 100 * 2 ** tried))
    }
  }

  async #once(method: string, path: string, init: RequestInit): Promise<Answer> {
    const begun = performance.now()
    const kind = `${method} ${/\/(blobs\/uploads|blobs|manifests|tags|referrers)\b/.exec(path)?.[1] ?? 'other'}`
    let answer: Answer
    try {
      answer = await super.request(method, path, init)
    } catch (cause) {
      if (init.signal?.aborted === true) throw cause
      const { code } = ((cause as Error).cause ?? {}) as { code?: string }
      this.#figures.count(`error ${code ?? (cause as Error).message}`)
      throw new PassingError(`${kind}: ${(cause as Error).message}`, { cause })
    } finally {
      this.#figures.answered(kind, performance.now() - begun)
    }
    if (answer.status >= 500) {
      this.#figures.count(`error ${answer.status}`)
      throw new PassingError(`${kind}: ${answer.status} ${answer.bytes.toString().slice(0, 300)}`)
    }
    return answer
  }
}
