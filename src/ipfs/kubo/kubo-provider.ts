import type { Logger } from '../../telemetry/logger.ts'
import type { ProvideTimes } from '../embedded/provider.ts'
import type { KuboNodes } from './kubo-nodes.ts'

export interface KuboProviderParts {
  readonly nodes: KuboNodes
  readonly queue: ProvideTimes
  readonly log: Logger
}

/** Provides by hand what the nodes do not provide by themselves: where their `Provide.Strategy` leaves MFS out. Part of `KuboNetwork`. */
export class KuboProvider {
  constructor(_parts: KuboProviderParts) {}

  start(): void {}

  async stop(): Promise<void> {}
}
