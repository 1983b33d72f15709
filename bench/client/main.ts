import type { Job, Results } from '../jobs.ts'
import { prepareHammer, preparePace } from './load.ts'
import { preparePull } from './pull.ts'
import { preparePush } from './push.ts'

/** From parent to client: the job, then `go` once the client is ready, then perhaps `stop`. */
export type ToClient = Job | 'go' | 'stop'
export type FromClient = { readonly ready: true } | { readonly result: Results[keyof Results] } | { readonly error: string }

const stopped = new AbortController()
const go = Promise.withResolvers<void>()

process.on('message', (message: ToClient) => {
  if (message === 'stop') stopped.abort()
  else if (message === 'go') go.resolve()
  else work(message).catch((error: unknown) => send({ error: error instanceof Error ? error.message : String(error) })).finally(() => process.disconnect())
})

async function work(job: Job): Promise<void> {
  const run = await prepare(job)
  await send({ ready: true })
  await go.promise
  await send({ result: await run() })
}

function prepare(job: Job): Promise<() => Promise<Results[keyof Results]>> {
  switch (job.kind) {
    case 'push': return preparePush(job)
    case 'pull': return preparePull(job)
    case 'pace': return preparePace(job, stopped.signal)
    case 'hammer': return prepareHammer(job)
  }
}

function send(message: FromClient): Promise<void> {
  return new Promise((resolve, reject) => process.send?.(message, (error: Error | null) => (error === null ? resolve() : reject(error))))
}
