import type { Socket } from 'node:net'

/**
 * What a connection begins with, given back to it, so that whoever takes it over reads it again. A connection of which
 * nothing comes is dropped.
 *
 * @param length in bytes
 * @param timeout in milliseconds
 */
export function firstBytes(socket: Socket, length: number, timeout: number, then: (bytes: Buffer) => void): void {
  const timer = setTimeout(() => socket.destroy(), timeout)
  const onError = (): void => {}
  const look = (): void => {
    const bytes = socket.read(length) as Buffer | null
    if (bytes === null) return
    socket.unshift(bytes)
    clearTimeout(timer)
    socket.off('readable', look).off('error', onError)
    then(bytes)
  }
  socket.on('readable', look).on('error', onError).once('close', () => clearTimeout(timer))
}
