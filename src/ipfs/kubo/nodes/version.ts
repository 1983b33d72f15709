import { KuboDownError, KuboRefusedError, KuboUnfitError } from './errors.ts'
import type { KuboRpc } from './rpc.ts'

/** The first one that collects garbage beside MFS without coming to a stop. */
const LEAST = [0, 43] as const
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
  if (!isNewEnough(version)) throw new KuboUnfitError(`${rpc.name} is Kubo ${version}: ${LEAST.join('.')} or newer is wanted`)
}

async function versionOf(rpc: KuboRpc): Promise<string | undefined> {
  try {
    const answer = await rpc.json<{ Version?: unknown } | undefined>('version', {}, { signal: AbortSignal.timeout(TIMEOUT) })
    return typeof answer?.Version === 'string' ? answer.Version : undefined
  } catch (cause) {
    if (cause instanceof KuboRefusedError) throw new KuboUnfitError(`${rpc.name} ${refusalOf(cause)}`, { cause })
    if (cause instanceof KuboDownError) throw cause
    throw new KuboDownError(`the IPFS node ${rpc.name} does not answer (version): nothing within ${TIMEOUT / 1000} s`, { cause })
  }
}

function refusalOf({ status, reason }: KuboRefusedError): string {
  if (status === 401 || (status === 403 && /authorization/i.test(reason))) {
    return 'lets nobody in without a login that is not the one given: name user:password@ in its URL, or its token, as its API.Authorizations has them'
  }
  if (status === 404 || status === 405) return `is no RPC of a Kubo: it answers ${status}, as a gateway does; ${WHERE}`
  return `is no RPC of a Kubo: it answers ${status === 200 ? 'something else than a version' : reason}; ${WHERE}`
}

/** `0.43.0`, `0.44.0-rc1`, `1.0.0-dev`; a candidate counts as what it is for. */
function isNewEnough(version: string): boolean {
  const [, major = '', minor = ''] = /^v?(\d+)\.(\d+)/.exec(version) ?? []
  if (minor === '') return false
  return Number(major) > LEAST[0] || (Number(major) === LEAST[0] && Number(minor) >= LEAST[1])
}
