import { ByteReader, ByteWriter } from './wire.ts'

/** One entry of a wantlist (bitswap 1.2.0 §Wantlist). */
export interface Want {
  /** The CID in binary. */
  readonly cid: Uint8Array
  /** Takes back an earlier want. */
  readonly cancel: boolean
  /** Asks whether the block is there, not for its bytes. */
  readonly have: boolean
  /** Asks for a DONT_HAVE where the block is missing. */
  readonly sendDontHave: boolean
}

export interface SentBlock {
  /** CID version, codec, hash function and digest length as varints: the CID without its digest. */
  readonly prefix: Uint8Array
  readonly data: Uint8Array
}

export interface Presence {
  readonly cid: Uint8Array
  readonly has: boolean
}

export interface BitswapMessage {
  readonly wants: readonly Want[]
  /** The wants replace all earlier ones. */
  readonly full: boolean
  readonly blocks: readonly SentBlock[]
  readonly presences: readonly Presence[]
}

/** Bytes of a message at most: boxo's limit, and so everybody's. */
export const MAX_MESSAGE_SIZE: number = 4 * 1024 * 1024

/** What a stranger's message may cost in time and memory: entries at most, and bytes of a CID (a hash of 128 bytes, and its prefix). */
const MAX_ENTRIES = 16_384
const MAX_CID_LENGTH = 160

/** Asks for a block before one without a priority; all our wants are equal. */
const PRIORITY = 1
const HAVE_ONLY = 1
const DONT_HAVE = 1

const BYTES = 2
const VARINT = 0
const field = (number: number, type: number): number => (number << 3) | type

/** The message as it goes over the wire, its length before it, in pieces: the bytes of blocks are not copied. */
export function encodeMessage(message: Partial<BitswapMessage>): Uint8Array[] {
  const pieces: Uint8Array[] = []
  if (message.wants !== undefined && message.wants.length > 0) pieces.push(encodeWantlist(message.wants, message.full === true))
  for (const { prefix, data } of message.blocks ?? []) {
    const inner = new ByteWriter().varint(field(1, BYTES)).varint(prefix.length).bytes(prefix)
    inner.varint(field(2, BYTES)).varint(data.length)
    const head = inner.finish()
    pieces.push(new ByteWriter().varint(field(3, BYTES)).varint(head.length + data.length).bytes(head).finish(), data)
  }
  for (const { cid, has } of message.presences ?? []) {
    const inner = new ByteWriter().varint(field(1, BYTES)).varint(cid.length).bytes(cid)
    if (!has) inner.varint(field(2, VARINT)).varint(DONT_HAVE)
    pieces.push(nested(4, inner.finish()))
  }
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0)
  return [new ByteWriter().varint(size).finish(), ...pieces]
}

function encodeWantlist(wants: readonly Want[], full: boolean): Uint8Array {
  const list = new ByteWriter()
  for (const want of wants) {
    const entry = new ByteWriter().varint(field(1, BYTES)).varint(want.cid.length).bytes(want.cid)
    entry.varint(field(2, VARINT)).varint(PRIORITY)
    if (want.cancel) entry.varint(field(3, VARINT)).varint(1)
    if (want.have) entry.varint(field(4, VARINT)).varint(HAVE_ONLY)
    if (want.sendDontHave) entry.varint(field(5, VARINT)).varint(1)
    list.bytes(nested(1, entry.finish()))
  }
  if (full) list.varint(field(2, VARINT)).varint(1)
  return nested(1, list.finish())
}

function nested(number: number, bytes: Uint8Array): Uint8Array {
  return new ByteWriter().varint(field(number, BYTES)).varint(bytes.length).bytes(bytes).finish()
}

/**
 * Reads a message, without its length. Bytes of blocks are views of `bytes`.
 *
 * @throws RangeError when it is no bitswap message, or has more entries than anybody sends
 */
export function decodeMessage(bytes: Uint8Array): BitswapMessage {
  const wants: Want[] = []
  const blocks: SentBlock[] = []
  const presences: Presence[] = []
  let full = false
  let entries = 0
  const count = (): void => {
    if (++entries > MAX_ENTRIES) throw new RangeError(`more than ${MAX_ENTRIES} entries`)
  }
  for (const { number, value } of new ByteReader(bytes).fields()) {
    count()
    if (typeof value === 'number') continue
    if (number === 1) {
      for (const entry of new ByteReader(value).fields()) {
        count()
        if (entry.number === 1 && typeof entry.value !== 'number') wants.push(decodeWant(entry.value))
        else if (entry.number === 2) full = entry.value === 1
      }
    } else if (number === 3) blocks.push(decodeBlock(value))
    else if (number === 4) presences.push(decodePresence(value))
  }
  return { wants, full, blocks, presences }
}

function decodeWant(bytes: Uint8Array): Want {
  const { data, numbers } = members(bytes)
  return { cid: boundedCid(data(1)), cancel: numbers(3) === 1, have: numbers(4) === HAVE_ONLY, sendDontHave: numbers(5) === 1 }
}

function decodeBlock(bytes: Uint8Array): SentBlock {
  const { data } = members(bytes)
  return { prefix: data(1), data: data(2) }
}

function decodePresence(bytes: Uint8Array): Presence {
  const { data, numbers } = members(bytes)
  return { cid: boundedCid(data(1)), has: numbers(2) !== DONT_HAVE }
}

function boundedCid(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0 || bytes.length > MAX_CID_LENGTH) throw new RangeError(`a CID of ${bytes.length} bytes`)
  return bytes
}

/** Members by their number; as protobuf has it, the last one counts, and a missing one is empty or 0. */
function members(bytes: Uint8Array): { data: (number: number) => Uint8Array; numbers: (number: number) => number } {
  const found = new Map<number, Uint8Array | number>()
  for (const { number, value } of new ByteReader(bytes).fields()) found.set(number, value)
  return {
    data: (number) => {
      const value = found.get(number)
      return typeof value === 'object' ? value : new Uint8Array()
    },
    numbers: (number) => {
      const value = found.get(number)
      return typeof value === 'number' ? value : 0
    },
  }
}
