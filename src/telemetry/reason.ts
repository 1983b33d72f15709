/** What an error says, and what it came of where that is not said yet: `fetch failed` alone says nothing. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { message, cause } = error
  // a host with several addresses has a reason for each, and then none of its own
  const own = message === '' && error instanceof AggregateError ? error.errors.map(reasonOf).join(', ') : message
  const why = cause instanceof Error ? reasonOf(cause) : ''
  if (own.includes(why)) return own
  return why.startsWith(own) ? why : `${own}: ${why}`
}
