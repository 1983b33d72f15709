/** Looking for somebody who has an image; reading its directories; fetching one file of it; recording its blocks. */
export type SessionStep = 'search' | 'tree' | 'fetch' | 'keep'

/** Watches how an image comes in. */
export interface SessionObserver {
  /** Calls `work` once and resolves or rejects as it does. */
  during<T>(step: SessionStep, cid: string, work: () => Promise<T>): Promise<T>
}
