import { retried } from '../retries.ts'
import { S3_FAULTS } from './failures.ts'

/** What the SDK takes beside a command. */
export interface Sending {
  readonly abortSignal?: AbortSignal
}

/** Does a request until it succeeds, or fails for good. @throws as `retried` */
export function withRetries<T>(what: string, signal: AbortSignal | undefined, answers: (error: unknown) => boolean, request: (sending: Sending) => Promise<T>): Promise<T> {
  const sending = signal === undefined ? {} : { abortSignal: signal }
  return retried(S3_FAULTS, what, { signal, answers }, () => request(sending))
}
