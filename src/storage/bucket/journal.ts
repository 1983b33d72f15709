import { StorageFailedError } from '../errors.ts'
import type { AbortOptions } from '../object-store.ts'
import type { Bucket } from './bucket.ts'
import { applySteps, type Step } from './steps.ts'
import type { Held } from './held-locks.ts'
import { keys, type BucketPlaces } from './keys.ts'
import type { Unfinished } from './locks.ts'

interface Note {
  readonly locks: readonly string[]
  /** With bytes in base64. */
  readonly steps: readonly ({ readonly put: string; readonly data: string } | { readonly delete: string; readonly except: readonly string[] })[]
}

/** What commits are about to do, each in an object of its own: one that is cut off is finished by whoever wants its locks next. */
export class Journal {
  readonly #bucket: Bucket
  readonly #places: BucketPlaces
  readonly #clearing = new Set<Promise<void>>()

  constructor(bucket: Bucket, places: BucketPlaces) {
    this.#bucket = bucket
    this.#places = places
  }

  /** Does the steps, in their order. @throws StorageFailedError, when it may have been done by half: then it will be finished */
  async run(held: Held, steps: readonly Step[]): Promise<void> {
    const [first, ...rest] = steps
    if (first === undefined) return
    // One object that is put is put or not.
    if (rest.length > 0 || 'delete' in first) {
      held.assert()
      // Also when it fails: an answer that was lost says nothing.
      held.begin()
      await this.#bucket.put(keys.journal(held.commit), Buffer.from(JSON.stringify(noteOf(held, steps))), { signal: held.signal })
    }
    await this.#finish(held, steps)
  }

  /** Undefined where nothing was noted, or all is done. */
  async unfinished(commit: string, options?: AbortOptions): Promise<Unfinished | undefined> {
    const found = await this.#bucket.get(keys.journal(commit), options)
    if (found === undefined) return undefined
    const { locks, steps } = parse(found.data, commit)
    return {
      locks,
      finish: (held) => this.#finish(held, steps.map((step) => ('put' in step ? { put: step.put, data: Buffer.from(step.data, 'base64') } : step)), found.modifiedAt),
      forget: () => this.#bucket.delete([keys.journal(commit)]),
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#clearing)
  }

  async #finish(held: Held, steps: readonly Step[], notedAt?: number): Promise<void> {
    await applySteps(this.#bucket, this.#places, steps, held, notedAt)
    held.assert()
    held.end()
    // With its locks gone it is over, whether this succeeds or not.
    if (steps.length > 1 || steps.some((step) => 'delete' in step)) this.#clear(held.commit)
  }

  #clear(commit: string): void {
    const clearing = this.#bucket.delete([keys.journal(commit)]).catch(() => {})
    this.#clearing.add(clearing)
    void clearing.finally(() => this.#clearing.delete(clearing))
  }
}

function noteOf(held: Held, steps: readonly Step[]): Note {
  return { locks: held.names, steps: steps.map((step) => ('put' in step ? { put: step.put, data: Buffer.from(step.data).toString('base64') } : step)) }
}

function parse(data: Uint8Array, commit: string): Note {
  try {
    const note: unknown = JSON.parse(Buffer.from(data).toString())
    if (isNote(note)) return note
  } catch {}
  throw new StorageFailedError(`${keys.journal(commit)} in the bucket is not what this version of Disco notes of a commit; start the one that wrote it once more, or delete it and push the last image again`)
}

function isNote(note: unknown): note is Note {
  if (typeof note !== 'object' || note === null || !('locks' in note) || !('steps' in note)) return false
  return Array.isArray(note.locks) && Array.isArray(note.steps) && note.steps.every((step: unknown) => typeof step === 'object' && step !== null && ('put' in step || 'delete' in step))
}
