import { Agent, type ClientRequestArgs } from 'node:http'
import { connect, type NetConnectOpts, type Socket } from 'node:net'

/** Bytes read at once. */
const BUFFER_SIZE = 256 * 1024

/**
 * Connections that read into one buffer each, over and over, and not into a new one for every read: less CPU, and far
 * less memory in flight. A piece of an answer is good only until its listener returns.
 */
export class OneBufferAgent extends Agent {
  override createConnection(options: ClientRequestArgs): Socket {
    // A part of its memory, so that whoever gives back all of a piece leaves it alone.
    const buffer = Buffer.allocUnsafeSlow(BUFFER_SIZE + 1).subarray(0, BUFFER_SIZE)
    const callback = (length: number): boolean => {
      // To the parser of node:http, which has done with it when this returns. What waits for its listener in the next
      // tick has it before the next read.
      socket.emit('data', buffer.subarray(0, length))
      return true
    }
    const socket = connect({ ...(options as NetConnectOpts), onread: { buffer, callback } })
    return socket
  }
}
