import type { BlockObserver } from '../telemetry/block-observer.ts'
import type { CloneObserver } from '../telemetry/clone-observer.ts'
import { CloneTraces } from '../telemetry/clone-traces.ts'
import { bothClones, bothRequests, bothSessions, bothStores } from '../telemetry/combined-observers.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { RequestObserver } from '../telemetry/request-observer.ts'
import { RequestTraces } from '../telemetry/request-traces.ts'
import type { SessionObserver } from '../telemetry/session-observer.ts'
import { SessionTraces } from '../telemetry/session-traces.ts'
import type { StorageObserver } from '../telemetry/storage-observer.ts'
import { StorageTraces } from '../telemetry/storage-traces.ts'
import type { Tracer } from '../telemetry/tracer.ts'

/** Who watches what; undefined where nobody does. */
export interface Observers {
  readonly requests: RequestObserver | undefined
  readonly storage: StorageObserver | undefined
  readonly sessions: SessionObserver | undefined
  readonly clones: CloneObserver | undefined
  readonly blocks: BlockObserver | undefined
}

/** @param local the requests are counted elsewhere */
export function observersOf(metrics: Metrics | undefined, tracer: Tracer | undefined, local: boolean): Observers {
  return {
    requests: either(local ? undefined : metrics?.requests, tracer && new RequestTraces(tracer), bothRequests),
    storage: either(metrics?.storage, tracer && new StorageTraces(tracer), bothStores),
    sessions: either(metrics?.sessions, tracer && new SessionTraces(tracer), bothSessions),
    clones: either(metrics?.ipfs, tracer && new CloneTraces(tracer), bothClones),
    blocks: metrics?.ipfs,
  }
}

function either<T>(a: T | undefined, b: T | undefined, both: (a: T, b: T) => T): T | undefined {
  return a === undefined || b === undefined ? (a ?? b) : both(a, b)
}
