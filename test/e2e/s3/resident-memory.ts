import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

export interface ResidentMemory {
  /** MiB before it began, and the most meanwhile. */
  readonly before: number
  readonly peak: number
  /** MiB, twenty times while it went on. */
  readonly course: readonly number[]
}

const EVERY_MS = 200
const SHOWN = 20

/** What a process has in memory while something goes on. */
export async function residentMemory(pid: number, work: () => Promise<void>): Promise<ResidentMemory> {
  const now = async (): Promise<number> => Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024)
  const before = await now()
  const over = new AbortController()
  const seen: number[] = []
  const watching = (async () => {
    while (!over.signal.aborted) {
      seen.push(await now())
      await sleep(EVERY_MS, undefined, { signal: over.signal }).catch(() => {})
    }
  })()
  try {
    await work()
  } finally {
    over.abort()
    await watching
  }
  const step = Math.max(1, Math.floor(seen.length / SHOWN))
  return { before, peak: Math.max(before, ...seen), course: seen.filter((_, index) => index % step === 0) }
}
