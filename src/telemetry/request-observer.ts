/** Methods by which requests are told apart: others anybody may invent. */
export const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** A request on its way. Those who watch it read it once it is through. */
export interface SeenRequest {
  readonly id: string
  readonly method: string
  /** The request's header of this name, from whoever traces on the other side (W3C Trace Context). */
  readonly traceparent: string | undefined
  /** What it is for: `manifest`, `blob_upload`, `gateway`. Never the name of anything. */
  handler: string
  /** Who was let in. */
  user: string | undefined
  /** 499 where the client went away before the answer. */
  status: number
  /** Of the catalogue, where the answer is an error. */
  errorCode: string | undefined
  /** Bytes of the bodies, as far as they have gone. */
  received: number
  sent: number
}

export interface RequestObserver {
  /** Calls `work` once, which never rejects, and resolves when it has ended. */
  during(seen: SeenRequest, work: () => Promise<void>): Promise<void>
}
