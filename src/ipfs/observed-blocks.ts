import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../storage/object-store.ts'
import type { BlockObserver, BlockSourceName } from '../telemetry/block-observer.ts'
import type { BlockSource } from './block-source.ts'
import type { AskOptions, BlockPeer } from './gateway/block-peer.ts'
import type { BlockReader, ReadBlockOptions } from './node.ts'

/** Blocks that are read for others. */
export function observedReader(blocks: BlockReader, by: 'gateway' | 'bitswap', observer: BlockObserver): BlockReader {
  return {
    has: (cid, options) => blocks.has(cid, options),
    async get(cid: CID, options?: ReadBlockOptions) {
      const bytes = await blocks.get(cid, options)
      if (bytes !== undefined) observer.sent(by, bytes.length)
      return bytes
    },
  }
}

/** Blocks that others give, one after the other. */
export function observedSource(source: BlockSource, from: BlockSourceName, observer: BlockObserver): BlockSource {
  return {
    async fetch(cid: CID, options?: AbortOptions) {
      const bytes = await source.fetch(cid, options)
      observer.received(from, bytes.length)
      return bytes
    },
    unanswered: () => source.unanswered?.() ?? [],
    close: () => source.close(),
  }
}

/** … and those of one peer. */
export function observedPeer(peer: BlockPeer, from: BlockSourceName, observer: BlockObserver): BlockPeer {
  return {
    name: peer.name,
    async ask(cid: CID, options?: AskOptions) {
      const bytes = await peer.ask(cid, options)
      if (bytes !== undefined) observer.received(from, bytes.length)
      return bytes
    },
    close: () => peer.close(),
  }
}
