import type { CID } from 'multiformats/cid'
import type { Database } from '../../../storage/embedded/database.ts'
import type { AbortOptions } from '../../../storage/object-store.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import { encodeCar } from '../../car.ts'
import type { ProvideQueue } from '../../node.ts'
import type { Block } from '../../unixfs/block.ts'
import { Arrival } from '../network/arrival.ts'
import type { KuboHold, KuboHolds } from '../nodes/hold.ts'
import type { KuboNode } from '../nodes/node.ts'
import type { KuboNodes } from '../nodes/nodes.ts'
import { repositoryOf } from '../store/tree.ts'
import { KnownServices } from './known-services.ts'
import { directoryBlock, pinDirectory } from './pin-directory.ts'
import { PinningService, type ServiceState } from './pinning-service.ts'
import { RemotePinTable, type DuePin, type PinOutcome, type RemotePin, type RemotePinCount } from './remote-pin-table.ts'

export interface RemotePinsParts {
  readonly nodes: KuboNodes
  readonly holds: KuboHolds
  /** Of the data directory. */
  readonly database: Database
  /** By the names under which the nodes know them (`ipfs pin remote service`). */
  readonly services: readonly string[]
  /** What the pin of an image is called: its manifest's digest; undefined: the image is not here (any more). */
  readonly nameOf: (image: CID, options: AbortOptions) => Promise<string | undefined>
  readonly log: Logger
  /** Milliseconds between two looks. @default 10000 */
  readonly interval?: number | undefined
  /** … after which one that is pinned is looked at again. @default an hour */
  readonly recheck?: number | undefined
  /** … for an answer, and for anything to come of what is fetched. @default 60000 */
  readonly timeout?: number | undefined
  /** … after one failed, doubled with every further time. @default 30000 */
  readonly retry?: number | undefined
}

const INTERVAL = 10_000
const RECHECK = 3_600_000
const RETRY = 30_000
const LONGEST_RETRY = 6 * 3_600_000
/** Pins looked at in one round. */
const PAGE = 20
const TIMEOUT = 60_000
/** Where MFS holds what is being pinned, so that the service finds it: by the image's CID. */
const PINS = '/disco/pins'

/** Images at remote pinning services: one pin an image, of everything that it needs. */
export class RemotePins implements ProvideQueue {
  readonly #parts: RemotePinsParts
  readonly #table: RemotePinTable
  readonly #known: KnownServices
  readonly #stopped = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> = Promise.resolve()

  private constructor(parts: RemotePinsParts, table: RemotePinTable) {
    this.#parts = parts
    this.#table = table
    this.#known = new KnownServices(parts.nodes.all, parts.services, parts.log)
  }

  static async open(parts: RemotePinsParts): Promise<RemotePins> {
    return new RemotePins(parts, await RemotePinTable.open(parts.database))
  }

  /** In one process of a registry: what `provide` noted is pinned in the background, tried again as long as it fails, also after a restart. */
  start(): void {
    if (this.#parts.services.length === 0) return
    this.#round = this.#known.look({ signal: this.#stopped.signal }).then(() => this.#later())
  }

  #later(): void {
    if (this.#stopped.signal.aborted) return
    this.#timer = setTimeout(() => {
      this.#round = this.#look().finally(() => this.#later())
    }, this.#parts.interval ?? INTERVAL).unref()
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#stopped.abort()
    await this.#round
  }

  /** Notes an image. @param roots its repository's, and those of its blobs */
  async provide([image, ...blobs]: readonly CID[], options?: AbortOptions): Promise<void> {
    const { services } = this.#parts
    if (image === undefined || services.length === 0) return
    await this.#table.add(image, pinDirectory(image, blobs), services, options)
  }

  /** All of them, in the order of their images. Needs no node. */
  list(): RemotePin[] {
    return this.#table.list()
  }

  counts(): RemotePinCount[] {
    return this.#table.counts()
  }

  async #look(): Promise<void> {
    const { signal } = this.#stopped
    await this.#known.look({ signal })
    try {
      for (const pin of this.#table.due(this.#parts.services, Date.now(), PAGE)) {
        if (signal.aborted) return
        await this.#advance(pin)
      }
    } catch (err) {
      if (!signal.aborted) this.#parts.log.warn({ err }, 'what is to be pinned remotely could not be read')
    }
  }

  async #advance(pin: DuePin): Promise<void> {
    const { log, recheck = RECHECK, interval = INTERVAL, retry = RETRY } = this.#parts
    const about = { image: pin.image.toString(), service: pin.service }
    let outcome: PinOutcome
    try {
      const state = await this.#pin(pin)
      if (state === undefined) {
        log.info(about, 'an image is gone: its remote pin too')
        return await this.#table.remove(pin)
      }
      if (state === 'failed') throw new Error('the service says that it failed')
      if (state === 'pinned' && pin.state !== 'pinned') log.info(about, 'an image is pinned remotely')
      outcome = { state, failures: 0, next: Date.now() + (state === 'pinned' ? recheck : interval) }
    } catch (err) {
      if (this.#stopped.signal.aborted) return
      const reason = err instanceof Error ? err.message : String(err)
      const wait = Math.min(retry * 2 ** pin.failures, LONGEST_RETRY)
      // Once: as long as nothing changes, no further try says more.
      log[isSame(reason, pin.reason) ? 'debug' : 'warn']({ ...about, reason, again: wait / 1000 }, 'an image could not be pinned remotely, and is tried again')
      // What is pinned is not unpinned by a service that does not answer.
      outcome = { state: pin.state === 'pinned' ? 'pinned' : 'failed', reason, failures: pin.failures + 1, next: Date.now() + wait }
    }
    await this.#table.note(pin, outcome)
  }

  /** Does what is next; undefined: the image is gone, and so is the pin. */
  async #pin({ image, service, directory, state: before }: DuePin): Promise<ServiceState | undefined> {
    const name = await this.#parts.nameOf(image, this.#limited())
    const block = directoryBlock(directory)
    return this.#anyNode(image, async (node) => {
      const options = this.#limited()
      const remote = new PinningService(node, service)
      const known = await remote.state(block.cid, options)
      if (name === undefined) {
        if (known !== undefined) await remote.remove(block.cid, options)
        await node.remove(heldAt(image), options)
        return undefined
      }
      if (known === 'pinned') await node.remove(heldAt(image), options)
      if (known !== undefined && known !== 'failed') return known
      if (known === 'failed') {
        // Told first, and tried again when its time has come.
        if (before === 'queued' || before === 'pinning') return known
        await remote.remove(block.cid, options)
      }
      await this.#offer(node, image, block)
      return remote.add(block.cid, name, this.#limited())
    })
  }

  /** Has all of it at the node that the service is sent to. */
  async #offer(node: KuboNode, image: CID, block: Block): Promise<void> {
    const path = heldAt(image)
    if ((await node.stat(path, this.#limited())) !== undefined) return
    await node.importCar(encodeCar(block.cid, [block]), this.#limited())
    const hold = this.#parts.holds.of(node, block.cid)
    try {
      // What is at other nodes is copied, as the service may reach this one alone.
      if (this.#parts.nodes.all.length > 1) await this.#bring(hold)
      await node.link(block.cid, path, { ...this.#limited(), flush: true })
    } finally {
      await hold.release()
    }
  }

  /** Takes as long as it does, while something comes. */
  async #bring(hold: KuboHold): Promise<void> {
    const { timeout = TIMEOUT } = this.#parts
    const silent = new AbortController()
    const arrived = new Arrival()
    const callOff = arrived.watch(timeout, () => silent.abort(new Error(`nothing came of what other nodes have of the image for ${timeout} ms`)))
    let before = 0
    try {
      await hold.fetch(({ blocks }) => {
        if (blocks > before) arrived.now()
        before = blocks
      }, { signal: AbortSignal.any([this.#stopped.signal, silent.signal]) })
    } finally {
      callOff()
    }
  }

  #limited(): AbortOptions {
    return { signal: AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(this.#parts.timeout ?? TIMEOUT)]) }
  }

  /** The first that can: not all of them may know the service, or be there. */
  async #anyNode<T>(image: CID, work: (node: KuboNode) => Promise<T>): Promise<T> {
    let failure: unknown
    for (const node of this.#parts.nodes.inOrder(repositoryOf(image))) {
      try {
        return await work(node)
      } catch (error) {
        this.#stopped.signal.throwIfAborted()
        failure ??= error
      }
    }
    throw failure
  }
}

/** But for what differs with every try: ports, times. */
function isSame(reason: string, before = ''): boolean {
  return reason.replaceAll(/\d+/g, '') === before.replaceAll(/\d+/g, '')
}

function heldAt(image: CID): string {
  return `${PINS}/${image}`
}
