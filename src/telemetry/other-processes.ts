import type { Rotation } from './health.ts'
import type { MetricsSnapshot } from './metrics.ts'

/** The processes that serve a registry's port, for the one that has its debug address. */
export interface OtherProcesses {
  /** What each of them has counted. */
  metrics(): Promise<readonly MetricsSnapshot[]>
  /** Resolves when all of them answer so. Those that come later do so, too. */
  rotate(rotation: Rotation): Promise<void>
}
