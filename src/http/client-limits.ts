import { networkOf } from '../auth/network-of.ts'
import { RegistryError } from '../oci/errors.ts'
import { Rate } from './rate.ts'

/** What one client may take: a network address, and a user where somebody said who they are. 0 or absent: no limit. */
export interface ClientLimitsOptions {
  /** Requests at once. */
  readonly requests?: number | undefined
  /** Uploads that send at once. */
  readonly uploads?: number | undefined
  /** Images that are looked for at once. */
  readonly clones?: number | undefined
  /** Requests a second, in the long run. */
  readonly rate?: number | undefined
  /** Requests beyond the rate that may come at once. */
  readonly burst?: number | undefined
}

interface Usage {
  requests: number
  uploads: number
  /** Requests by the image that they want. */
  readonly images: Map<string, number>
}

/** Ends what was counted. Safe to repeat. */
export type Leave = () => void

const NOTHING: Leave = () => {}

/** Counts what each client has under way; who has nothing is not remembered. */
export class ClientLimits {
  readonly #options: ClientLimitsOptions
  readonly #rate: Rate | undefined
  readonly #usage = new Map<string, Usage>()

  constructor(options: ClientLimitsOptions) {
    const { rate = 0, burst = 0 } = options
    this.#options = options
    this.#rate = rate > 0 ? new Rate({ rate, burst }) : undefined
  }

  /** A request begins, and ends when the answer has left. @throws RegistryError TOOMANYREQUESTS with `Retry-After` */
  enter(client: string): Leave {
    const wait = this.#rate?.take(client)
    if (wait !== undefined) throw tooMany('requests a second', Math.ceil(wait / 1_000))
    const { requests = 0 } = this.#options
    if (requests === 0) return NOTHING
    const usage = this.#of(client)
    if (usage.requests >= requests) throw tooMany('requests at once')
    usage.requests++
    return this.#leave(client, usage, () => usage.requests--)
  }

  /** @throws RegistryError TOOMANYREQUESTS with `Retry-After` */
  upload(client: string): Leave {
    const { uploads = 0 } = this.#options
    if (uploads === 0) return NOTHING
    const usage = this.#of(client)
    if (usage.uploads >= uploads) throw tooMany('uploads at once')
    usage.uploads++
    return this.#leave(client, usage, () => usage.uploads--)
  }

  /** A client asks for an image that may have to be looked for. @throws RegistryError TOOMANYREQUESTS with `Retry-After` */
  image(client: string, name: string): Leave {
    const { clones = 0 } = this.#options
    if (clones === 0) return NOTHING
    const usage = this.#of(client)
    const { images } = usage
    if (images.size >= clones && !images.has(name)) throw tooMany('images that are not here at once')
    images.set(name, (images.get(name) ?? 0) + 1)
    return this.#leave(client, usage, () => {
      const left = (images.get(name) ?? 1) - 1
      if (left === 0) images.delete(name)
      else images.set(name, left)
    })
  }

  #of(client: string): Usage {
    const known = this.#usage.get(client)
    if (known !== undefined) return known
    const usage = { requests: 0, uploads: 0, images: new Map() }
    this.#usage.set(client, usage)
    return usage
  }

  #leave(client: string, usage: Usage, less: () => void): Leave {
    let left = false
    return () => {
      if (left) return
      left = true
      less()
      if (usage.requests === 0 && usage.uploads === 0 && usage.images.size === 0) this.#usage.delete(client)
    }
  }
}

/** Whom a request counts for: who it is from where that is known, else the network that it came from. */
export function countedAs(user: string | undefined, address: string): string {
  return user === undefined ? networkOf(address) : `user ${user}`
}

function tooMany(what: string, seconds = 1): RegistryError {
  return new RegistryError('TOOMANYREQUESTS', `too many ${what}`, { headers: { 'Retry-After': String(Math.max(1, seconds)) } })
}
