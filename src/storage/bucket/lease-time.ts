/** For how long who has written that something is his has it, unless he writes it again, in milliseconds. */
export const LEASE: number = 15_000
/** … which he does so often. */
export const RENEWAL: number = 4_000
/**
 * Others take it over so much later: a request that was sent in the last moment has come to its end by then, and servers
 * count an object's age in seconds.
 */
const MARGIN = 5_000

/** Whether something that was written so long ago by the server's clock is nobody's any more. No other clocks are compared. */
export function hasRunOut(age: number): boolean {
  return age > LEASE + MARGIN
}
