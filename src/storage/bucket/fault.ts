import { StorageFailedError } from '../errors.ts'

/** What a client of a bucket's server throws, as far as anybody needs it. */
export interface Fault {
  readonly name: string
  readonly message: string
  /** HTTP's; 0 where there was no answer. */
  readonly status: number
  /** The server's code, or the system's; empty where there was none. */
  readonly code: string
}

const PASSING_STATUS: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504, 509])

/** Codes of certificates that will not be right the next time either. */
const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_|^ERR_TLS|^ERR_SSL/
/** What OpenSSL says of an answer without TLS. */
export const WITHOUT_TLS = 'wrong version number'

/** Whether the next try may succeed, by what all servers and systems mean alike: nobody answered, or not now. */
export function isPassingFault({ status, code, message }: Fault, error: unknown): boolean {
  if (PASSING_STATUS.has(status)) return true
  return status === 0 && !UNTRUSTED.test(code) && !message.includes(WITHOUT_TLS) && !(error instanceof TypeError)
}

/**
 * What the rest of Disco hears. Of a client's error it keeps what says why: others of its properties hold keys, signatures
 * and what was signed.
 */
export function failureOf(what: string, { name, message: said, status, code }: Fault): StorageFailedError {
  // OpenSSL says where in its source it found a fault, on lines of its own.
  const message = said.replaceAll(/\s+/g, ' ').replace(/^.*:SSL routines:[^:]*:([^:]+):.*$/, '$1').trim()
  const reason = [code === '' || code === name ? name : `${name} ${code}`, ...(status === 0 ? [] : [`(${status})`])].join(' ')
  const cause = new Error(message === '' ? reason : `${reason}: ${message}`)
  cause.name = name
  return new StorageFailedError(`the bucket failed at ${what}: ${cause.message}`, { cause })
}
