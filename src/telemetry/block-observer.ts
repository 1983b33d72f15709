/** Where a block came from: another's gateway, a peer of the swarm, or this store. */
export type BlockSourceName = 'gateway' | 'bitswap' | 'local'

/** Hears of blocks that come and go. */
export interface BlockObserver {
  /** A verified block of an image on its way in. */
  received(from: BlockSourceName, bytes: number): void
  /** A block that was read for others. */
  sent(by: 'gateway' | 'bitswap', bytes: number): void
}
