import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import { createSecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls'
import type { Logger } from '../telemetry/logger.ts'
import { ciphersOf } from './cipher-suites.ts'

export type ClientAuth = 'request-client-cert' | 'require-any-client-cert' | 'verify-client-cert-if-given' | 'require-and-verify-client-cert'

/** Paths are of PEM files. */
export interface TlsFilesOptions {
  /** The server's own certificate first, then those that lead to its authority. */
  readonly certificate: string
  readonly key: string
  /** Authorities of clients. Without one, no client is asked for a certificate. */
  readonly clientCas?: readonly string[] | undefined
  /** @default require-and-verify-client-cert */
  readonly clientAuth?: ClientAuth | undefined
  /** @default tls1.2 */
  readonly minimum?: 'tls1.2' | 'tls1.3' | undefined
  /** By the IANA's names. @default those of Node */
  readonly cipherSuites?: readonly string[] | undefined
  readonly log: Logger
  /** How often is looked whether the files are others, in milliseconds. @default 5 s */
  readonly interval?: number | undefined
}

const INTERVAL = 5_000
/** Certificate and key are rarely replaced at the same instant, in milliseconds. */
const SETTLE = 200

/** Certificate, key and authorities, as they are in their files now. */
export class TlsFiles {
  readonly #options: TlsFilesOptions
  readonly #onLook: () => void
  #context: SecureContextOptions
  #onChange: (context: SecureContextOptions) => void = () => {}
  #timer: NodeJS.Timeout | undefined

  /** @throws Error when a file can't be read, or certificate and key do not belong together */
  constructor(options: TlsFilesOptions) {
    this.#options = options
    this.#context = read(options)
    this.#onLook = () => {
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => this.reload(), SETTLE).unref()
    }
  }

  get context(): SecureContextOptions {
    return this.#context
  }

  get clientAuth(): ClientAuth | undefined {
    const { clientCas = [], clientAuth = 'require-and-verify-client-cert' } = this.#options
    return clientCas.length > 0 ? clientAuth : undefined
  }

  /** Calls `onChange` with what is in the files, whenever they change and it is sound. */
  watch(onChange: (context: SecureContextOptions) => void): void {
    this.#onChange = onChange
    for (const path of pathsOf(this.#options)) watchFile(path, { persistent: false, interval: this.#options.interval ?? INTERVAL }, this.#onLook)
  }

  /** Reads the files again. What is wrong with them is logged, and what was good stays. */
  reload(): void {
    const { log, certificate, key } = this.#options
    try {
      const context = read(this.#options)
      if (JSON.stringify(context) === JSON.stringify(this.#context)) return
      this.#context = context
      this.#onChange(context)
      log.info({ certificate }, 'the certificate was read anew')
    } catch (err) {
      log.error({ err, certificate, key }, 'the new certificate or its key is not usable: the one before stays in use')
    }
  }

  close(): void {
    clearTimeout(this.#timer)
    for (const path of pathsOf(this.#options)) unwatchFile(path, this.#onLook)
  }
}

/** Whether a client showed what is wanted of it; for what Node itself does not see to. */
export function isLetIn(socket: TLSSocket, clientAuth: ClientAuth | undefined): boolean {
  if (clientAuth === undefined || clientAuth === 'request-client-cert') return true
  const given = Object.keys(socket.getPeerCertificate()).length > 0
  if (clientAuth === 'require-any-client-cert') return given
  return socket.authorized || (!given && clientAuth === 'verify-client-cert-if-given')
}

function pathsOf({ certificate, key, clientCas = [] }: TlsFilesOptions): string[] {
  return [certificate, key, ...clientCas]
}

function read({ certificate, key, clientCas = [], minimum = 'tls1.2', cipherSuites = [] }: TlsFilesOptions): SecureContextOptions {
  const ciphers = ciphersOf(cipherSuites)
  const context: SecureContextOptions = {
    cert: pem(certificate),
    key: pem(key),
    ...(clientCas.length === 0 ? {} : { ca: clientCas.map(pem) }),
    ...(ciphers === undefined ? {} : { ciphers }),
    minVersion: minimum === 'tls1.3' ? 'TLSv1.3' : 'TLSv1.2',
    honorCipherOrder: true,
  }
  try {
    createSecureContext(context)
  } catch (cause) {
    throw new Error(`certificate ${certificate} with key ${key}: ${(cause as Error).message}`, { cause })
  }
  return context
}

function pem(path: string): string {
  const text = readFileSync(path, 'utf8')
  if (!text.includes('-----BEGIN ')) throw new Error(`${path} is not a PEM file`)
  return text
}
