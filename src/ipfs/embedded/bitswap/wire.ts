/** A member of a protobuf message: bytes, or a number. */
export interface Field {
  readonly number: number
  readonly value: Uint8Array | number
}

const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5

/** Bytes of a varint at most. */
const MAX_VARINT_LENGTH = 10

/** Reads protobuf off bytes that a stranger sent. */
export class ByteReader {
  readonly #bytes: Uint8Array
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get offset(): number {
    return this.#offset
  }

  get done(): boolean {
    return this.#offset >= this.#bytes.length
  }

  /** @throws RangeError when the varint does not end in time; one beyond 2^53 loses its low bits, which no caller minds */
  varint(): number {
    let value = 0
    for (let length = 0; length < MAX_VARINT_LENGTH; length++) {
      const byte = this.#bytes[this.#offset]
      if (byte === undefined) break
      this.#offset++
      value += (byte & 0x7f) * 2 ** (7 * length)
      if (byte < 0x80) return value
    }
    throw new RangeError('varint without an end')
  }

  take(length: number): Uint8Array {
    const end = this.#offset + length
    if (end > this.#bytes.length) throw new RangeError(`${length} bytes are more than there are`)
    const bytes = this.#bytes.subarray(this.#offset, end)
    this.#offset = end
    return bytes
  }

  /** @throws RangeError at what is not protobuf */
  *fields(): Generator<Field> {
    while (!this.done) {
      const tag = this.varint()
      const number = Math.floor(tag / 8)
      const type = tag % 8
      if (type === VARINT) yield { number, value: this.varint() }
      else if (type === BYTES) yield { number, value: this.take(this.varint()) }
      else if (type === FIXED64) this.take(8)
      else if (type === FIXED32) this.take(4)
      else throw new RangeError(`wire type ${type}`)
    }
  }
}

/** Writes the little that a bitswap message has beside its blocks. */
export class ByteWriter {
  readonly #pieces: Uint8Array[] = []

  varint(value: number): this {
    const bytes: number[] = []
    let rest = value
    while (rest >= 0x80) {
      bytes.push((rest % 0x80) | 0x80)
      rest = Math.floor(rest / 0x80)
    }
    bytes.push(rest)
    return this.bytes(Uint8Array.from(bytes))
  }

  bytes(bytes: Uint8Array): this {
    this.#pieces.push(bytes)
    return this
  }

  finish(): Uint8Array {
    return Buffer.concat(this.#pieces)
  }
}
