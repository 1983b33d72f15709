import type { ReadOptions } from '../object-store.ts'

/** How far somebody has come who reads an object. */
export class Cursor {
  at: number
  left: number | undefined
  passed = 0
  /** Milliseconds that pieces were waited for. */
  waited = 0
  /** It went too slowly where it was read first. */
  isHeldUp = false
  /** There was nothing to be had elsewhere. */
  stays = false

  constructor({ start = 0, length }: ReadOptions) {
    this.at = start
    this.left = length
  }

  get isWhole(): boolean {
    return this.at === 0 && this.left === undefined
  }

  get range(): ReadOptions {
    return { start: this.at, length: this.left }
  }

  pass(bytes: number): void {
    this.at += bytes
    this.passed += bytes
    if (this.left !== undefined) this.left -= bytes
  }
}
