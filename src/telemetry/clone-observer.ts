/** Watches clones of images. */
export interface CloneObserver {
  /** One more waits for a clone that is under way. */
  joined(): void
  /**
   * Calls `fly` once and resolves or rejects as it does.
   *
   * @param fly resolves with the size of the image in bytes, 0 where it was here already
   */
  during(cid: string, fly: () => Promise<number>): Promise<number>
}
