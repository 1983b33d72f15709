/** Runs `action` once, when `ms` have passed since now and since the time that `last` tells. Returns what calls it off. */
export function afterSilence(ms: number, last: () => number, action: () => void): () => void {
  let timer = setTimeout(check, ms)
  function check(): void {
    const left = last() + ms - performance.now()
    if (left <= 0) action()
    else timer = setTimeout(check, left)
  }
  return () => clearTimeout(timer)
}
