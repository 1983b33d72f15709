import { timingSafeEqual } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { getSalt, hashSync } from 'bcryptjs'

export interface BcryptQuestion {
  readonly id: number
  readonly password: string
  readonly hash: string
}

export interface BcryptAnswer {
  readonly id: number
  readonly matches: boolean
}

parentPort?.on('message', ({ id, password, hash }: BcryptQuestion) => {
  const answer: BcryptAnswer = { id, matches: matches(password, hash) }
  parentPort?.postMessage(answer)
})

/** Only the hash is compared: the versions 2a, 2b and 2y differ in what older programs did wrong. */
function matches(password: string, hash: string): boolean {
  try {
    return timingSafeEqual(Buffer.from(hashSync(password, getSalt(hash))).subarray(4), Buffer.from(hash).subarray(4))
  } catch {
    return false
  }
}
