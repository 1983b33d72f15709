import { Counter, exponentialBuckets, Gauge, Histogram, type Registry } from 'prom-client'
import type { BlockObserver, BlockSourceName } from './block-observer.ts'
import type { CloneObserver } from './clone-observer.ts'

/** Seconds. */
export const DURATIONS: number[] = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600]
/** 1 MiB to 16 GiB. */
const SIZES = exponentialBuckets(1024 * 1024, 4, 8)

/** Clones, and the blocks that come and go. */
export class IpfsMetrics implements BlockObserver, CloneObserver {
  readonly #received: Counter<'source'>
  readonly #receivedBytes: Counter<'source'>
  readonly #sent: Counter<'by'>
  readonly #sentBytes: Counter<'by'>
  readonly #started: Counter
  readonly #joined: Counter
  readonly #ended: Counter<'result'>
  readonly #seconds: Histogram<'result'>
  readonly #bytes: Histogram
  #running = 0

  constructor(registry: Registry) {
    const registers = [registry]
    this.#received = new Counter({ name: 'disco_ipfs_blocks_received_total', help: 'Verified blocks of images on their way in, by where they came from.', labelNames: ['source'], registers })
    this.#receivedBytes = new Counter({ name: 'disco_ipfs_received_bytes_total', help: 'Bytes of those blocks.', labelNames: ['source'], registers })
    this.#sent = new Counter({ name: 'disco_ipfs_blocks_sent_total', help: 'Blocks read for others, by the way they asked.', labelNames: ['by'], registers })
    this.#sentBytes = new Counter({ name: 'disco_ipfs_sent_bytes_total', help: 'Bytes of those blocks.', labelNames: ['by'], registers })
    this.#started = new Counter({ name: 'disco_clones_started_total', help: 'Clones of images that were not here.', registers })
    this.#joined = new Counter({ name: 'disco_clones_joined_total', help: 'Requests that joined a clone under way.', registers })
    this.#ended = new Counter({ name: 'disco_clones_ended_total', help: 'Clones that ended: `ok`, or the code of the error.', labelNames: ['result'], registers })
    this.#seconds = new Histogram({ name: 'disco_clone_duration_seconds', help: 'From the beginning of a clone to its end.', labelNames: ['result'], buckets: DURATIONS, registers })
    this.#bytes = new Histogram({ name: 'disco_clone_size_bytes', help: 'Images that were cloned.', buckets: SIZES, registers })
    const gauge: Gauge = new Gauge({ name: 'disco_clones_in_flight', help: 'Clones under way.', registers, collect: () => gauge.set(this.#running) })
  }

  received(source: BlockSourceName, bytes: number): void {
    this.#received.inc({ source })
    this.#receivedBytes.inc({ source }, bytes)
  }

  sent(by: 'gateway' | 'bitswap', bytes: number): void {
    this.#sent.inc({ by })
    this.#sentBytes.inc({ by }, bytes)
  }

  joined(): void {
    this.#joined.inc()
  }

  async during(_cid: string, fly: () => Promise<number>): Promise<number> {
    const began = performance.now()
    this.#started.inc()
    this.#running++
    let result = 'ok'
    try {
      const size = await fly()
      if (size > 0) this.#bytes.observe(size)
      return size
    } catch (error) {
      result = codeOf(error)
      throw error
    } finally {
      this.#running--
      this.#ended.inc({ result })
      this.#seconds.observe({ result }, (performance.now() - began) / 1000)
    }
  }
}

/** Codes are of a catalogue, so there are only so many. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'UNKNOWN'
}
