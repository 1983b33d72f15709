import { S3Server } from '../test/e2e/harness/s3.ts'
import type { S3Options } from '../src/storage/bucket/s3/options.ts'
import { distributionCommand, distributionVersion, type Program } from './distribution.ts'
import type { Peer, PeerId, Started } from './peers.ts'
import { startServer } from './server.ts'

/** Send clients to the bucket for blobs. */
export const REDIRECT: string = '--redirect'

interface OnBucket {
  readonly server: S3Server
  readonly options: S3Options
}

export function distributionOnBucket(program: Program): (directory: string, bucket: OnBucket, redirect: boolean) => Promise<Started> {
  return (directory, { server, options }, redirect) =>
    distributionCommand(directory, program, { ...server.distribution(options), redirect: { disable: !redirect } })
}

/** A registry over a bucket of an S3 server of its own, with the defaults of each, which are the same: pieces of 10 MiB. */
export function onBucket(
  id: PeerId, { title, install, version, file = '' }: Pick<Peer, 'title' | 'install'> & Partial<Pick<Peer, 'version'> & Program>,
  command: (directory: string, bucket: OnBucket, redirect: boolean) => Promise<Started>,
): Peer {
  return {
    id,
    title,
    install,
    global: version !== undefined,
    version: version ?? (() => distributionVersion(file)),
    async start(directory, extra = []) {
      const s3 = await S3Server.start()
      try {
        const { port, command: started } = await command(directory, { server: s3, options: await s3.bucket() }, extra.includes(REDIRECT))
        const server = await startServer(port, directory, started)
        const stop = async (): Promise<void> => {
          await server.stop()
          await s3.remove()
        }
        return { ...server, bucketPid: s3.pid, stop }
      } catch (error) {
        await s3.remove()
        throw error
      }
    },
  }
}
