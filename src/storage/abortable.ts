/**
 * What `source` yields, until the signal aborts: then its reason is thrown at once, even while `source` has not answered.
 * A race of promises would keep one reaction for every chunk of a long upload; this keeps none. Nor is it a generator,
 * which would cost more than anything else that is done with a small chunk.
 */
export function abortable<T>(source: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncIterable<T> {
  if (signal === undefined) return source
  return { [Symbol.asyncIterator]: () => iterate(source[Symbol.asyncIterator](), signal) }
}

function iterate<T>(iterator: AsyncIterator<T>, signal: AbortSignal): AsyncIterator<T> {
  let interrupt: ((reason: unknown) => void) | undefined
  const onAbort = (): void => interrupt?.(signal.reason)
  const leave = (): void => {
    interrupt = undefined
    signal.removeEventListener('abort', onAbort)
  }
  const stop = (): void => {
    leave()
    // Not awaited: a generator that is stuck in its own await answers only when that ends.
    iterator.return?.().then(undefined, () => {})
  }
  signal.addEventListener('abort', onAbort)
  return {
    next: () => new Promise((resolve, reject) => {
      interrupt = (reason) => {
        stop()
        reject(reason)
      }
      if (signal.aborted) return interrupt(signal.reason)
      iterator.next().then((result) => {
        interrupt = undefined
        if (result.done === true) leave()
        resolve(result)
      }, (error: unknown) => {
        leave()
        reject(error)
      })
    }),
    async return() {
      stop()
      return { done: true, value: undefined }
    },
  }
}
