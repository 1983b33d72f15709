/** How many blocks may be fetched ahead of their readers, by all who share it together. */
export class Window {
  #free: number

  constructor(size: number) {
    this.#free = size
  }

  take(): boolean {
    if (this.#free === 0) return false
    this.#free--
    return true
  }

  give(): void {
    this.#free++
  }
}
