/** Distribution's envelope of events, version 2. */
export const EVENTS_MEDIA_TYPE = 'application/vnd.docker.distribution.events.v2+json'

export type EventAction = 'pull' | 'push' | 'mount' | 'delete'

export interface EventReference {
  readonly mediaType: string
  readonly digest: string
  /** Bytes. */
  readonly size: number
}

/** What was pulled, pushed, mounted or deleted. */
export interface EventTarget {
  readonly mediaType?: string
  readonly digest?: string
  /** Bytes. */
  readonly size?: number
  /** The same as `size`, for receivers of before 2015. */
  readonly length?: number
  readonly repository: string
  readonly fromRepository?: string
  readonly url?: string
  readonly tag?: string
  /** What a manifest refers to, where the configuration wants it. */
  readonly references?: readonly EventReference[]
  /** Ours: the global name that a push gave the image. */
  readonly cid?: string
}

/** One thing that a client did, as Distribution's notifications tell it. */
export interface RegistryEvent {
  /** The same at every attempt to deliver it. */
  readonly id: string
  /** RFC 3339. */
  readonly timestamp: string
  readonly action: EventAction
  readonly target: EventTarget
  readonly request: EventRequest
  readonly actor: { readonly name?: string }
  readonly source: EventSource
}

/** The request that did it. */
export interface EventRequest {
  readonly id: string
  /** Address of the client. */
  readonly addr: string
  readonly host: string
  readonly method: string
  readonly useragent: string
}

/** The registry that tells it. */
export interface EventSource {
  readonly addr: string
  /** Of one run of one process. */
  readonly instanceID: string
}
