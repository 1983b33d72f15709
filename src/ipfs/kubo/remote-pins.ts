import type { CID } from 'multiformats/cid'
import type { Database } from '../../storage/embedded/database.ts'
import type { AbortOptions } from '../../storage/object-store.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { ProvideQueue } from '../node.ts'
import type { KuboNodes } from './kubo-nodes.ts'

/** Of the Pinning Service API; `waiting`: the service has not been told yet. */
export type RemotePinState = 'waiting' | 'queued' | 'pinning' | 'pinned' | 'failed'

/** One image at one service. */
export interface RemotePin {
  /** The image: the root of its repository. */
  readonly image: CID
  /** What is pinned: a directory of the repository and all blobs. */
  readonly root: CID
  readonly service: string
  readonly state: RemotePinState
  /** Why it failed last, in the words of who said it. */
  readonly reason: string | undefined
  /** When that was last heard, in milliseconds since the epoch. */
  readonly at: number
}

export interface RemotePinsParts {
  readonly nodes: KuboNodes
  /** Of the data directory. */
  readonly database: Database
  /** By the names under which the nodes know them (`ipfs pin remote service`). */
  readonly services: readonly string[]
  /** Whether an image is (still) here. */
  readonly isHere: (image: CID, options: AbortOptions) => Promise<boolean>
  readonly log: Logger
  /** Milliseconds between two looks. @default 10000 */
  readonly interval?: number | undefined
}

/** Images at remote pinning services: one pin an image, of everything that it needs. */
export class RemotePins implements ProvideQueue {
  static async open(_parts: RemotePinsParts): Promise<RemotePins> {
    return new RemotePins()
  }

  /** In one process of a registry: what `provide` noted is pinned in the background, tried again as long as it fails, also after a restart. */
  start(): void {}

  async stop(): Promise<void> {}

  /** Notes an image. @param _roots its repository's, and those of its blobs */
  async provide(_roots: readonly CID[], _options?: AbortOptions): Promise<void> {}

  /** All pins, or those of an image, in the order of their images. Needs no node. */
  list(_image?: CID): RemotePin[] {
    return []
  }
}
