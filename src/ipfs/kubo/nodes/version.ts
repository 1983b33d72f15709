import { KuboDownError, KuboRefusedError, KuboUnfitError } from './errors.ts'
import { printable } from './refusal.ts'
import type { KuboRpc } from './rpc.ts'

/** The first one that collects garbage beside MFS without coming to a stop. */
const LEAST = [0, 43] as const
/** Nothing in what is said of itself may steer the terminal that it is printed on. */
const VERSION = /^[\w.+-]{1,100}$/
/** Milliseconds for an answer. */
const TIMEOUT = 10_000
const WHERE = 'its RPC is at Addresses.API, port 5001 unless it was changed'

/**
 * Whether what is at the URL is a Kubo, and new enough.
 *
 * @throws KuboDownError when nothing answers within 10 s, KuboUnfitError with what was found and what is wanted
 */
export async function checkVersion(rpc: KuboRpc): Promise<void> {
  const version = await versionOf(rpc)
  if (version === undefined) throw new KuboUnfitError(`${rpc.name} is no Kubo: it does not say its version; ${WHERE}`)
  if (!isNewEnough(version)) throw new KuboUnfitError(`${rpc.name} is Kubo ${version}: ${LEAST.join('.')}.0 or newer is wanted`)
}

async function versionOf(rpc: KuboRpc): Promise<string | undefined> {
  try {
    const answer = await rpc.json<{ Version?: unknown } | undefined>('version', {}, { signal: AbortSignal.timeout(TIMEOUT) })
    return typeof answer?.Version === 'string' && VERSION.test(answer.Version) ? answer.Version : undefined
  } catch (cause) {
    if (cause instanceof KuboRefusedError) throw new KuboUnfitError(`${rpc.name} ${refusalOf(cause)}`, { cause })
    if (speaksNoTls(cause)) throw new KuboUnfitError(`${rpc.name} speaks no TLS: is http:// meant?`, { cause })
    if (cause instanceof KuboDownError) throw cause
    throw new KuboDownError(`the IPFS node ${rpc.name} does not answer (version): nothing within ${TIMEOUT / 1000} s`, { cause })
  }
}

function refusalOf({ status, reason }: KuboRefusedError): string {
  if (status === 401 || (status === 403 && /authorization/i.test(reason))) {
    return 'lets nobody in without a login that is not the one given: name user:password@ in its URL, or its token, as its API.Authorizations has them'
  }
  if (status === 404 || status === 405) return `is no RPC of a Kubo: it answers ${status}, as a gateway does; ${WHERE}`
  if (status !== undefined && status >= 300 && status < 400) return `is no RPC of a Kubo: it sends elsewhere (${status}): name the URL that it sends to`
  return `is no RPC of a Kubo: it answers ${status === 200 ? 'something else than a version' : printable(reason)}; ${WHERE}`
}

/** OpenSSL says so of an answer that begins with something else, in several lines. */
function speaksNoTls(error: unknown): boolean {
  return error instanceof KuboDownError && error.cause instanceof Error && error.cause.message.includes('wrong version number')
}

/** `0.43.0`, `0.44.0-rc1`, `1.0.0-dev`; what comes before a version (`0.43.0-rc1`) is older than it. */
function isNewEnough(version: string): boolean {
  const [, major = '', minor = '', patch = '0', before] = /^v?(\d+)\.(\d+)(?:\.(\d+))?(-)?/.exec(version) ?? []
  if (minor === '') return false
  const newer = Number(major) - LEAST[0] || Number(minor) - LEAST[1]
  if (newer !== 0) return newer > 0
  return Number(patch) > 0 || before === undefined
}
