import { setTimeout as sleep } from 'node:timers/promises'
import { Connection } from '../connection.ts'
import { MANIFEST, type HammerJob, type HammerResult, type PaceJob, type PaceResult } from '../jobs.ts'

/** As many requests may be late at once before the pace itself is. */
const PACE_CONNECTIONS = 16

/**
 * Connection number i takes every 16th beat. A beat that comes while its connection still waits counts from when it
 * was due, not from when it could be sent: a server that stops for a second is late for all who came in that second.
 */
export async function preparePace(job: PaceJob, stopped: AbortSignal): Promise<() => Promise<PaceResult>> {
  const connections = await open(PACE_CONNECTIONS, job.port)
  return async () => {
    const start = performance.now()
    const beat = 1000 / job.perSecond
    const latencies: number[] = []
    await Promise.all(connections.map(async (connection, index) => {
      for (let due = start + index * beat; !stopped.aborted; due += PACE_CONNECTIONS * beat) {
        const early = due - performance.now()
        if (early > 0) await sleep(early, undefined, { signal: stopped }).catch(() => {})
        if (stopped.aborted) return
        const from = early > 0 ? performance.now() : due
        await get(connection, job.path)
        latencies.push(performance.now() - from)
      }
    }))
    for (const connection of connections) connection.close()
    latencies.sort((a, b) => a - b)
    const quantile = (part: number): number => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * part))] ?? NaN
    return { requests: latencies.length, p50: quantile(0.5), p99: quantile(0.99), max: quantile(1) }
  }
}

/** What stands in for wrk where it is not installed. It costs several times the CPU, which the server then lacks. */
export async function prepareHammer(job: HammerJob): Promise<() => Promise<HammerResult>> {
  const connections = await open(job.connections, job.port)
  return async () => {
    const start = performance.now()
    const end = start + job.seconds * 1000
    let requests = 0
    await Promise.all(connections.map(async (connection) => {
      while (performance.now() < end) {
        await get(connection, job.path)
        requests++
      }
    }))
    const seconds = (performance.now() - start) / 1000
    for (const connection of connections) connection.close()
    return { perSecond: requests / seconds }
  }
}

function open(count: number, port: number): Promise<Connection[]> {
  return Promise.all(Array.from({ length: count }, () => Connection.open(port)))
}

async function get(connection: Connection, path: string): Promise<void> {
  const { status, body } = await connection.request({ method: 'GET', path, headers: { Accept: MANIFEST } })
  if (status !== 200) throw new Error(`GET ${path}: ${status} ${body.toString()}`)
}
