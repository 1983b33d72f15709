import { spawn, type ChildProcess } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { GcsOptions } from '../../../src/storage/bucket/gcs/options.ts'
import { ROOT } from './command.ts'
import { unusedPort } from './disco.ts'

const FAKE_GCS = join(ROOT, '.tools/bin/fake-gcs-server')
const READY_MS = 10_000

/** An emulator of Google's Cloud Storage on loopback, in memory. It lets everybody in. */
export class FakeGcs {
  readonly host: string
  readonly #child: ChildProcess
  #buckets = 0
  /** Of a service account that signs, and whose signatures nobody looks at. */
  readonly credentials: Readonly<Record<string, string>> = {
    type: 'service_account',
    project_id: 'disco-test',
    client_email: 'disco-test@example.iam.gserviceaccount.com',
    private_key: generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } }).privateKey,
  }

  private constructor(port: number) {
    this.host = `127.0.0.1:${port}`
    const args = ['-scheme', 'http', '-host', '127.0.0.1', '-port', String(port), '-backend', 'memory', '-public-host', this.host, '-external-url', `http://${this.host}`, '-log-level', 'error']
    this.#child = spawn(FAKE_GCS, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  }

  static async start(): Promise<FakeGcs> {
    const server = new FakeGcs(await unusedPort())
    let said = ''
    server.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)))
    for (const deadline = Date.now() + READY_MS; !(await answers(server.host)); await sleep(20)) {
      if (server.#child.exitCode === null && Date.now() < deadline) continue
      await server.remove()
      throw new Error(`fake-gcs-server did not start:\n${said}`)
    }
    return server
  }

  /** A new, empty bucket. */
  async bucket(): Promise<GcsOptions> {
    const options = this.options(`bucket-${this.#buckets++}`)
    const answer = await fetch(`${options.endpoint}/storage/v1/b?project=disco-test`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: options.bucket }) })
    if (!answer.ok) throw new Error(`fake-gcs-server made no bucket: ${await answer.text()}`)
    return options
  }

  options(bucket: string): GcsOptions & { readonly endpoint: string } {
    return { bucket, credentials: this.credentials, endpoint: `http://${this.host}` }
  }

  async remove(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }
}

async function answers(host: string): Promise<boolean> {
  return fetch(`http://${host}/storage/v1/b?project=disco-test`).then(() => true, () => false)
}
