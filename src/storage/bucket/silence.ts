/** Whoever says nothing for so long is not waited for, in milliseconds. */
const SILENCE = 15_000
/** Bytes in a millisecond. */
const SLOWEST = 64

/**
 * Does `work` with a signal that aborts when the caller's does, or when it takes too long: for requests of clients that
 * wait for ever.
 *
 * @param patience in milliseconds
 */
export async function withinTime<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>, patience: number = SILENCE): Promise<T> {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(timedOut()), patience)
  const abort = (): void => controller.abort(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  try {
    signal?.throwIfAborted()
    // Some clients go on after they were told to stop; nobody waits for them.
    const aborted = Promise.withResolvers<never>()
    aborted.promise.catch(() => {})
    controller.signal.addEventListener('abort', () => aborted.reject(controller.signal.reason), { once: true })
    return await Promise.race([work(controller.signal), aborted.promise])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}

/**
 * What a source gives; when nothing comes that is waited for, it is cut.
 *
 * @param cut makes it fail
 */
export async function* chunksOf(source: AsyncIterable<Uint8Array>, cut: (error: Error) => void): AsyncGenerator<Uint8Array, void, void> {
  let waiting = true
  const timer = setInterval(() => {
    if (waiting) cut(timedOut())
  }, SILENCE)
  try {
    for await (const chunk of source) {
      waiting = false
      yield chunk
      waiting = true
      timer.refresh()
    }
  } finally {
    clearInterval(timer)
  }
}

/** All that an answer has, as long as it goes on. */
export async function collected(chunks: AsyncIterable<Uint8Array>, destroy: () => void, signal: AbortSignal | undefined): Promise<Buffer> {
  const all: Uint8Array[] = []
  signal?.addEventListener('abort', destroy, { once: true })
  try {
    for await (const chunk of chunks) all.push(chunk)
    signal?.throwIfAborted()
    return Buffer.concat(all)
  } finally {
    signal?.removeEventListener('abort', destroy)
  }
}

/** For so many bytes, also by a slow line. */
export function patienceFor(bytes: number): number {
  return SILENCE + bytes / SLOWEST
}

function timedOut(): Error {
  return Object.assign(new Error('nothing came for too long'), { code: 'ETIMEDOUT' })
}
