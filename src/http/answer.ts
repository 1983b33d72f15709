import type { OutgoingHttpHeaders } from 'node:http'

/** What a handler returns; `write-answer.ts` writes it. */
export interface Answer {
  readonly status: number
  readonly headers?: OutgoingHttpHeaders
  /** Absent: no body. To a HEAD request it is never sent. */
  readonly body?: Uint8Array | string | BodyStream
}

/** A body whose length is told before its bytes are read, where it is known. */
export interface BodyStream {
  /** Bytes that `read` gives; undefined: it shows at the end. */
  readonly length: number | undefined
  /** A chunk is the reader's until it asks for the next one. Called at most once. */
  read(): AsyncIterable<Uint8Array>
}

export function json(status: number, value: unknown, headers: OutgoingHttpHeaders = {}): Answer {
  return { status, headers: { ...headers, 'Content-Type': 'application/json' }, body: JSON.stringify(value) }
}
