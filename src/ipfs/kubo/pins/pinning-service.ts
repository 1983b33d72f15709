import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../../storage/object-store.ts'
import type { KuboNode } from '../nodes/node.ts'

/** What a service says of a pin. */
export type ServiceState = 'queued' | 'pinning' | 'pinned' | 'failed'

const ALL_STATES: readonly ServiceState[] = ['queued', 'pinning', 'pinned', 'failed']

/** A remote pinning service, as a node knows it by its name: key and address are the node's, and never come here. */
export class PinningService {
  readonly #node: KuboNode
  readonly #service: string

  constructor(node: KuboNode, service: string) {
    this.#node = node
    this.#service = service
  }

  /** Undefined where it has no pin of it. @throws KuboDownError, KuboRefusedError */
  async state(cid: CID, options?: AbortOptions): Promise<ServiceState | undefined> {
    const pins = await this.#node.rpc.lines<{ Status: ServiceState }>('pin/remote/ls', { service: this.#service, cid: cid.toString(), status: ALL_STATES }, options)
    const found = new Set(pins.map(({ Status }) => Status))
    return (['pinned', 'pinning', 'queued', 'failed'] as const).find((state) => found.has(state))
  }

  /** Asks it to pin, telling it where this node is to be reached. @throws KuboDownError, KuboRefusedError */
  async add(cid: CID, name: string, options?: AbortOptions): Promise<ServiceState> {
    const { Status } = await this.#node.rpc.json<{ Status: ServiceState }>('pin/remote/add', { arg: cid.toString(), service: this.#service, name, background: true }, options)
    return Status
  }

  /** No pin of it is no error. @throws KuboDownError, KuboRefusedError */
  async remove(cid: CID, options?: AbortOptions): Promise<void> {
    await this.#node.rpc.bytes('pin/remote/rm', { service: this.#service, cid: cid.toString(), status: ALL_STATES, force: true }, options)
  }
}
