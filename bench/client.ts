import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { FromClient, ToClient } from './client/main.ts'
import type { Job, Results } from './jobs.ts'

const MAIN = new URL('client/main.ts', import.meta.url)

/** A client in a process of its own, ready to go: content hashed, connections open. */
export interface Client<Kind extends Job['kind']> {
  go(): Promise<Results[Kind]>
  /** Tells a job without an end to finish and answer. */
  stop(): void
}

/** @throws Error with what the client has to say when it fails */
export async function startClient<Kind extends Job['kind']>(job: Extract<Job, { kind: Kind }>): Promise<Client<Kind>> {
  const child = fork(MAIN, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ready = Promise.withResolvers<void>()
  const result = Promise.withResolvers<Results[Kind]>()
  result.promise.catch(() => {})
  ready.promise.catch(() => {})
  const fail = (reason: string): void => {
    ready.reject(new Error(reason))
    result.reject(new Error(reason))
  }
  child.on('message', (message: FromClient) => {
    if ('ready' in message) ready.resolve()
    else if ('error' in message) fail(message.error)
    else result.resolve(message.result as Results[Kind])
  })
  const exited = once(child, 'exit').then(([code]) => fail(`the client left with ${String(code)}`))
  const send = (message: ToClient): void => {
    if (child.connected) child.send(message)
  }
  send(job)
  await ready.promise
  return {
    async go() {
      send('go')
      const answer = await result.promise
      await exited
      return answer
    },
    stop: () => send('stop'),
  }
}

/** A job from start to end. */
export async function runClient<Kind extends Job['kind']>(job: Extract<Job, { kind: Kind }>): Promise<Results[Kind]> {
  const client = await startClient<Kind>(job)
  return await client.go()
}

/** Runs `work` while a client sends GETs at a pace; both must succeed. */
export async function whilePacing<T>(port: number, path: string, work: () => Promise<T>): Promise<[T, Results['pace']]> {
  const pace = await startClient<'pace'>({ kind: 'pace', port, path, perSecond: 50 })
  const paced = pace.go()
  paced.catch(() => {})
  try {
    const done = await work()
    pace.stop()
    return [done, await paced]
  } finally {
    pace.stop()
  }
}
