import { S3Server } from '../test/e2e/harness/s3.ts'
import type { S3Options } from '../src/storage/bucket/s3/options.ts'
import { continuing, type Continuing } from './continuing.ts'
import { distributionCommand, distributionVersion, type Program } from './distribution.ts'
import type { Peer, PeerId, Started } from './peers.ts'
import { startServer } from './server.ts'

/** Send clients to the bucket for blobs. */
export const REDIRECT: string = '--redirect'

/** For pushes: docker-registry 2.8.2 else waits a second before each piece for a "100 Continue" that versitygw does not send it. */
export const PUSHED: string = '--pushed'

interface OnBucket {
  readonly server: S3Server
  /** The S3 server, or who stands before it. */
  readonly host: string
  readonly options: S3Options
}

export function distributionOnBucket(program: Program): (directory: string, bucket: OnBucket, redirect: boolean) => Promise<Started> {
  return (directory, { server, host, options }, redirect) =>
    distributionCommand(directory, program, { ...server.distribution(options, host), redirect: { disable: !redirect } })
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
      let before: Continuing | undefined
      try {
        if (id === 'docker-registry-s3' && extra.includes(PUSHED)) before = await continuing(s3.host, directory)
        const bucket = { server: s3, host: before?.host ?? s3.host, options: await s3.bucket() }
        const { port, command: started } = await command(directory, bucket, extra.includes(REDIRECT))
        const server = await startServer(port, directory, started)
        const stop = async (): Promise<void> => {
          await server.stop()
          await before?.stop()
          await s3.remove()
        }
        return { ...server, bucketPid: s3.pid, stop }
      } catch (error) {
        await before?.stop()
        await s3.remove()
        throw error
      }
    },
  }
}
