export interface ContentUnavailableOptions extends ErrorOptions {
  /** Who of those that were given could not be asked or did not answer, and why. @default none */
  readonly failures?: readonly string[] | undefined
}

/** Nobody was found who has it, within the time that was given. */
export class ContentUnavailableError extends Error {
  override readonly name = 'ContentUnavailableError'
  /** Where there are any, one of them may well have it: it is not unknown. */
  readonly failures: readonly string[]
  /** The message without the failures, which name peers and what is wrong with them: nothing for strangers. */
  readonly summary: string

  constructor(message: string, { failures = [], ...options }: ContentUnavailableOptions = {}) {
    super(failures.length === 0 ? message : `${message} (${failures.join('; ')})`, options)
    this.failures = failures
    this.summary = message
  }
}

/** What came does not hash to its name, is not the shape it has to be, or goes beyond the limits. */
export class VerificationError extends Error {
  override readonly name = 'VerificationError'
}
