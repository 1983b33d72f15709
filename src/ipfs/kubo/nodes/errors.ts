/** A Kubo node can't be reached, or went away in the middle: nothing is known of what it has. */
export class KuboDownError extends Error {
  override readonly name: string = 'KuboDownError'
}

/** What answers is no Kubo that Disco can work with: nothing is asked of it before it is one. */
export class KuboUnfitError extends KuboDownError {
  override readonly name = 'KuboUnfitError'
}

/** A Kubo node has the root of something and not all of its blocks, nor does it get them from anybody: proven, by a walk over all of them. */
export class KuboIncompleteError extends Error {
  override readonly name = 'KuboIncompleteError'

  constructor(node: string, path: string) {
    super(`the IPFS node ${node} has lost blocks of ${path}: it is to be pushed again`)
  }
}

/** A Kubo node did not do what it was asked for; the message is its own. */
export class KuboRefusedError extends Error {
  override readonly name = 'KuboRefusedError'
  /** What it said, without who said it. */
  readonly reason: string
  /** Of HTTP, where the words are not Kubo's own. */
  readonly status: number | undefined

  constructor(node: string, command: string, reason: string, status?: number) {
    super(`${node}: ${command}: ${reason}`)
    this.reason = reason
    this.status = status
  }
}
