/**
 * Gives the memory of bytes back at once, where they are all of it: left to the collector of garbage, a stream
 * costs a full collection every few megabytes. Nobody may look at them any more.
 */
export function giveBack({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}
