/** Nobody was found who has it, within the time that was given. Not a proof that nobody has it. */
export class ContentUnavailableError extends Error {
  override readonly name = 'ContentUnavailableError'
}

/** What came does not hash to its name, is not the shape it has to be, or goes beyond the limits. */
export class VerificationError extends Error {
  override readonly name = 'VerificationError'
}
