/** One Ctrl-C comes several times: from the terminal, from npm, from the shell. Milliseconds. */
const SAME_SIGNAL = 500

/**
 * Calls `stop` when the process is told to end: SIGINT, SIGTERM, or the end of whoever started it over a channel. A
 * second signal does not wait for what the first one began.
 */
export function onShutdown(stop: (reason: string) => Promise<void>): void {
  let first: number | undefined
  const handle = (reason: string): void => {
    if (first !== undefined) {
      if (Date.now() - first > SAME_SIGNAL) process.exit(130)
      return
    }
    first = Date.now()
    void stop(reason).then(
      () => process.exit(),
      (error: unknown) => {
        console.error(error)
        process.exit(1)
      },
    )
  }
  process.on('SIGINT', handle)
  process.on('SIGTERM', handle)
  if (process.channel !== undefined) process.once('disconnect', () => handle('the end of its parent'))
}
