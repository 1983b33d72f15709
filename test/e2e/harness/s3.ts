import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { S3Options } from '../../../src/storage/bucket/s3/options.ts'
import { ROOT } from './command.ts'
import { unusedPort } from './disco.ts'

const VERSITYGW = join(ROOT, '.tools/bin/versitygw')
const READY_MS = 10_000
const ACCESS_KEY = 'disco-test-access'
const SECRET_KEY = 'disco-test-secret'

/** A real S3 server on loopback, over a directory. */
export class S3Server {
  readonly host: string
  readonly directory: string
  readonly #port: number
  #process: ChildProcess | undefined
  #buckets = 0

  readonly #arguments: readonly string[]

  private constructor(directory: string, port: number, args: readonly string[]) {
    this.directory = directory
    this.#arguments = args
    this.#port = port
    this.host = `127.0.0.1:${port}`
  }

  /** @param args of versitygw's own */
  static async start(...args: readonly string[]): Promise<S3Server> {
    const server = new S3Server(await mkdtemp(join(tmpdir(), 'disco-s3-')), await unusedPort(), args)
    await server.up()
    return server
  }

  /** Starts it, again after `kill`, at the same address. */
  async up(): Promise<void> {
    const env = { ...process.env, ROOT_ACCESS_KEY_ID: ACCESS_KEY, ROOT_SECRET_ACCESS_KEY: SECRET_KEY }
    const child = spawn(VERSITYGW, ['--port', this.host, '--keep-alive', '--quiet', ...this.#arguments, 'posix', this.directory], { env, stdio: ['ignore', 'ignore', 'pipe'] })
    this.#process = child
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)))
    for (const deadline = Date.now() + READY_MS; !(await answers(this.#port)); await sleep(10)) {
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`versitygw did not start:\n${said}`)
    }
  }

  /** A new, empty bucket. */
  async bucket(): Promise<S3Options> {
    const bucket = `bucket-${this.#buckets++}`
    await mkdir(join(this.directory, bucket))
    return this.options(bucket)
  }

  options(bucket: string, host: string = this.host): S3Options {
    const scheme = this.#arguments.includes('--cert') ? 'https' : 'http'
    return { bucket, regionEndpoint: `${scheme}://${host}`, region: 'us-east-1', accessKey: ACCESS_KEY, secretKey: SECRET_KEY, forcePathStyle: true }
  }

  /** What Distribution has in its configuration for a bucket. */
  distribution({ bucket, rootDirectory = '' }: S3Options, host: string = this.host): object {
    const at = { region: 'us-east-1', regionendpoint: `http://${host}`, forcepathstyle: true, secure: false }
    return { s3: { bucket, accesskey: ACCESS_KEY, secretkey: SECRET_KEY, rootdirectory: rootDirectory, ...at } }
  }

  /** Where a bucket's objects lie as files. */
  files({ bucket }: Pick<S3Options, 'bucket'>): string {
    return join(this.directory, bucket)
  }

  get pid(): number {
    return this.#process?.pid ?? 0
  }

  async kill(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  async remove(): Promise<void> {
    await this.kill()
    await rm(this.directory, { recursive: true, force: true })
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
