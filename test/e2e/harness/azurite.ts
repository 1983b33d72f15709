import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AzureOptions } from '../../../src/storage/bucket/azure/options.ts'
import { unusedPort } from './disco.ts'
import { PACKAGES, loadPackage } from './packages.ts'

const AZURITE = join(PACKAGES, 'azurite/dist/src/blob/main.js')
const READY_MS = 20_000
/** A key as Azure's are, of this account alone. */
const ACCOUNT = 'discotest'
const KEY = Buffer.from('disco-test-secret-key-of-an-account-that-is-on-loopback-alone!!!').toString('base64')

interface Sdk {
  readonly ContainerClient: new (url: string, credential: unknown) => { create(): Promise<unknown> }
  readonly StorageSharedKeyCredential: new (account: string, key: string) => unknown
}

/** Azure's own emulator of its Blob Storage, on loopback, in memory. */
export class Azurite {
  readonly host: string
  readonly #directory: string
  readonly #child: ChildProcess
  #containers = 0

  private constructor(directory: string, port: number) {
    this.#directory = directory
    this.host = `127.0.0.1:${port}`
    const args = ['--blobHost', '127.0.0.1', '--blobPort', String(port), '--inMemoryPersistence', '--disableTelemetry', '--skipApiVersionCheck', '--silent']
    this.#child = spawn(process.execPath, [AZURITE, ...args], { cwd: directory, env: { ...process.env, AZURITE_ACCOUNTS: `${ACCOUNT}:${KEY}` }, stdio: ['ignore', 'ignore', 'pipe'] })
  }

  static async start(): Promise<Azurite> {
    const server = new Azurite(await mkdtemp(join(tmpdir(), 'disco-azurite-')), await unusedPort())
    let said = ''
    server.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)))
    for (const deadline = Date.now() + READY_MS; !(await answers(server.host)); await sleep(20)) {
      if (server.#child.exitCode === null && Date.now() < deadline) continue
      await server.remove()
      throw new Error(`azurite did not start:\n${said}`)
    }
    return server
  }

  /** A new, empty container. */
  async container(): Promise<AzureOptions> {
    const options = this.options(`container-${this.#containers++}`)
    const { ContainerClient, StorageSharedKeyCredential } = loadPackage('@azure/storage-blob') as Sdk
    await new ContainerClient(`${options.serviceUrl}/${options.container}`, new StorageSharedKeyCredential(ACCOUNT, KEY)).create()
    return options
  }

  options(container: string): AzureOptions & { readonly serviceUrl: string; readonly accountKey: string } {
    return { accountName: ACCOUNT, accountKey: KEY, container, serviceUrl: `http://${this.host}/${ACCOUNT}` }
  }

  async remove(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL')
      await once(this.#child, 'exit')
    }
    await rm(this.#directory, { recursive: true, force: true })
  }
}

async function answers(host: string): Promise<boolean> {
  return fetch(`http://${host}/`).then(() => true, () => false)
}
