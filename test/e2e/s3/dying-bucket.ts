import { S3Bucket } from '../../../src/storage/bucket/s3/bucket.ts'
import { makeClient } from '../../../src/storage/bucket/s3/client.ts'
import { settle, type S3Options } from '../../../src/storage/bucket/s3/options.ts'

const CHANGES: ReadonlySet<string | undefined> = new Set([
  'PutObjectCommand', 'CopyObjectCommand', 'DeleteObjectsCommand', 'CreateMultipartUploadCommand', 'UploadPartCopyCommand', 'CompleteMultipartUploadCommand',
  'AbortMultipartUploadCommand',
])

/** Not an error that is worth another try. */
class CutOffError extends TypeError {
  override readonly name = 'CutOffError'
}

/**
 * A way to a bucket that ends at the n-th request that changes something: before that reaches the server, or before its
 * answer comes back. Nothing goes through from then on.
 */
export class DyingBucket {
  readonly bucket: S3Bucket
  changes = 0
  readonly done: string[] = []
  #last: number
  #gate: Promise<void> | undefined
  #stop: (() => void) | undefined

  constructor(options: S3Options, last: number = Infinity, reached = false) {
    this.#last = last
    const settled = settle(options)
    const client = makeClient(settled)
    this.bucket = new S3Bucket(client, settled)
    client.middlewareStack.add((next, context) => async (args) => {
      await this.#gate
      if (this.dead) throw new CutOffError('cut off')
      const isChange = CHANGES.has(context.commandName as string | undefined)
      if (isChange) this.changes++
      if (isChange) this.done.push(`${context.commandName as string} ${String((args.input as { Key?: string }).Key)}`)
      this.#stop?.()
      await this.#gate
      if (!this.dead) return next(args)
      if (reached) await next(args)
      throw new CutOffError('cut off')
    }, { step: 'initialize', name: 'cutOff' })
  }

  /** At the n-th request from now on that changes something; now, by default. */
  dieAt(change = 0): void {
    this.#last = this.changes + change
  }

  /** As a process is that is stopped before its n-th request from now on that changes something, until what this resolves with is called. */
  stopAt(change: number): Promise<() => void> {
    const stopped = Promise.withResolvers<() => void>()
    const gate = Promise.withResolvers<void>()
    const at = this.changes + change
    this.#stop = () => {
      if (this.changes < at) return
      this.#gate = gate.promise
      this.#stop = undefined
      stopped.resolve(gate.resolve)
    }
    return stopped.promise
  }

  get dead(): boolean {
    return this.changes >= this.#last
  }
}
