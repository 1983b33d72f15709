import type { Take } from './plain-call.ts'

/** What is poured, for who asks for it. A chunk is theirs until they ask for the next. */
export async function* poured(pour: (take: Take, signal: AbortSignal) => Promise<unknown>, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void, undefined> {
  const stop = new AbortController()
  let given: { readonly bytes: Uint8Array; readonly taken: () => void } | undefined
  let over = false
  let wake = (): void => {}
  const take = (bytes: Uint8Array): Promise<void> => new Promise((taken) => {
    given = { bytes, taken }
    wake()
  })
  const next = (): typeof given => given
  const pouring = pour(take, signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])).finally(() => {
    over = true
    wake()
  })
  // Who has enough does not wait for it.
  pouring.catch(() => {})
  try {
    for (;;) {
      const chunk = next()
      if (chunk !== undefined) {
        yield chunk.bytes
        given = undefined
        chunk.taken()
      } else if (over) {
        await pouring
        return
      } else {
        await new Promise<void>((resolve) => (wake = resolve))
      }
    }
  } finally {
    stop.abort()
  }
}
