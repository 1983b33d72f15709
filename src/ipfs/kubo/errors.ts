/** A Kubo node can't be reached, or went away in the middle: nothing is known of what it has. */
export class KuboDownError extends Error {
  override readonly name = 'KuboDownError'
}

/** A Kubo node did not do what it was asked for; the message is its own. */
export class KuboRefusedError extends Error {
  override readonly name = 'KuboRefusedError'
  /** What it said, without who said it. */
  readonly reason: string

  constructor(node: string, command: string, reason: string) {
    super(`${node}: ${command}: ${reason}`)
    this.reason = reason
  }
}
