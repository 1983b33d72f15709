/**
 * What `source` yields, until the signal aborts: then its reason is thrown at once, even while `source` has not answered.
 * A race of promises would keep one reaction for every chunk of a long upload; this keeps none.
 */
export async function* abortable<T>(source: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncGenerator<T, void, void> {
  if (signal === undefined) {
    yield* source
    return
  }
  const iterator = source[Symbol.asyncIterator]()
  let interrupt: (reason: unknown) => void = () => {}
  const onAbort = (): void => interrupt(signal.reason)
  signal.addEventListener('abort', onAbort)
  let ended = false
  try {
    for (;;) {
      signal.throwIfAborted()
      const result = await new Promise<IteratorResult<T>>((resolve, reject) => {
        interrupt = reject
        iterator.next().then(resolve, reject)
      })
      if (result.done === true) {
        ended = true
        return
      }
      yield result.value
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    // Not awaited: a generator that is stuck in its own await answers only when that ends.
    if (!ended) iterator.return?.().then(undefined, () => {})
  }
}
