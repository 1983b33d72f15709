import { bytesOf } from '../registry/sample.ts'

export const PREFACE: Buffer = bytesOf('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/** RFC 9113 §4.1. A client of Node's cannot take back a request without ending its body first. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.set([type, flags], 3)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** RFC 7541 §6.2.2: `:scheme: http` from the table, the others as literals. */
export function requestHeaders(method: string, path: string): Buffer {
  const literal = (index: number, value: string): Buffer => Buffer.concat([Buffer.from([index, value.length]), bytesOf(value)])
  return Buffer.concat([literal(0x02, method), Buffer.from([0x86]), literal(0x04, path), literal(0x01, 'x')])
}
