import type { CloneObserver } from './clone-observer.ts'
import type { RequestObserver } from './request-observer.ts'
import type { SessionObserver } from './session-observer.ts'
import type { StorageObserver } from './storage-observer.ts'

/** Two that watch the same, the second within the first. */
export function bothRequests(a: RequestObserver, b: RequestObserver): RequestObserver {
  return { during: (seen, work) => a.during(seen, () => b.during(seen, work)) }
}

export function bothSessions(a: SessionObserver, b: SessionObserver): SessionObserver {
  return { during: (step, cid, work) => a.during(step, cid, () => b.during(step, cid, work)) }
}

export function bothStores(a: StorageObserver, b: StorageObserver): StorageObserver {
  return {
    during: (action, work) => a.during(action, () => b.during(action, work)),
    streaming(action) {
      a.streaming(action)
      b.streaming(action)
    },
  }
}

export function bothClones(a: CloneObserver, b: CloneObserver): CloneObserver {
  return {
    joined() {
      a.joined()
      b.joined()
    },
    during: (cid, fly) => a.during(cid, () => b.during(cid, fly)),
  }
}
