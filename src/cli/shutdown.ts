import { setTimeout as sleep } from 'node:timers/promises'

/** One Ctrl-C comes several times: from the terminal, from npm, from the shell. Milliseconds. */
const SAME_SIGNAL = 500
/** Time to close what is left once nothing is in flight any more, in milliseconds: traces have 3 s of it. */
export const CLOSE_TIMEOUT = 8000
/** What a timer can count, in milliseconds. */
const LONGEST = 2 ** 31 - 1
/** What a thread may take to give back what it was asked for, once nobody waits for it, in milliseconds. */
const THREAD_TIMEOUT = 2000

/**
 * Calls `stop` when the process is told to end: SIGINT, SIGTERM, or the end of whoever started it over a channel. It
 * is killed by a second signal, which waits for nothing: an orderly exit waits for all threads, whatever they are at.
 *
 * @param limit milliseconds that `stop` may take
 */
export function onShutdown(stop: (reason: string) => Promise<void>, limit: number): void {
  let first: number | undefined
  const handle = (reason: string): void => {
    if (first !== undefined) {
      if (Date.now() - first > SAME_SIGNAL) kill('it was told twice to end')
      return
    }
    first = Date.now()
    setTimeout(() => kill(`it has not closed within ${limit / 1000} s`), Math.min(limit, LONGEST)).unref()
    void stop(reason).then(
      () => leave(),
      (error: unknown) => {
        console.error(error)
        return leave(1)
      },
    )
  }
  process.on('SIGINT', handle)
  process.on('SIGTERM', handle)
  if (process.channel !== undefined) process.once('disconnect', () => handle('the end of its parent'))
}

/** `process.exit` waits for all threads, so for good where one of them waits for a medium that hangs. */
async function leave(code?: number): Promise<void> {
  const deadline = Date.now() + THREAD_TIMEOUT
  while (isThreadBusy()) {
    if (Date.now() > deadline) kill('storage or a name server does not answer')
    await sleep(10)
  }
  process.exit(code ?? process.exitCode)
}

/** Files and names are what threads are asked for by: `FSReqPromise`, `GetAddrInfoReqWrap`. */
function isThreadBusy(): boolean {
  return process.getActiveResourcesInfo().some((name) => name.includes('Req'))
}

function kill(reason: string): void {
  console.error(`disco: ${reason}, and the process is killed instead of waiting for it`)
  process.kill(process.pid, 'SIGKILL')
}
