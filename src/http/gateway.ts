import type { OutgoingHttpHeaders } from 'node:http'
import { encodeCar } from '../ipfs/car.ts'
import { ContentUnavailableError, VerificationError } from '../ipfs/errors.ts'
import { giveBack } from '../storage/give-back.ts'
import type { BlockReader } from '../ipfs/node.ts'
import { IDENTITY, type Block } from '../ipfs/unixfs/block.ts'
import { exportDag, resolvePath } from '../ipfs/unixfs/dag-export.ts'
import type { Answer } from './answer.ts'
import { BlockSlots, type BlockSlot } from './block-slots.ts'
import { matches } from './conditional.ts'
import { GatewayError, parseGatewayRequest, type GatewayRequest } from './gateway-request.ts'
import type { HttpRequest } from './message.ts'

export type Gateway = (request: HttpRequest, signal: AbortSignal) => Promise<Answer>

/**
 * A trustless gateway (specs.ipfs.tech/http-gateways/trustless-gateway) over the blocks that are here: raw blocks and
 * CARs, nothing deserialized, nothing fetched from elsewhere.
 */
export function createGateway(blocks: BlockReader, slots: BlockSlots = new BlockSlots()): Gateway {
  return async (request, signal) => {
    const slot = slots.open(() => request.destroy())
    signal.addEventListener('abort', () => slot.close(), { once: true })
    try {
      if (request.method !== 'GET' && request.method !== 'HEAD') throw new GatewayError(405, 'only GET and HEAD')
      const { body, ...rest } = await answer(inTurn(blocks, slot), request, signal)
      if (typeof body === 'object' && 'read' in body && request.method === 'GET') return { ...rest, body: { ...body, read: () => closing(body.read(), slot) } }
      slot.close()
      return body === undefined ? rest : { ...rest, body }
    } catch (error) {
      slot.close()
      if (error instanceof GatewayError) return refusal(error)
      throw error
    }
  }
}

async function answer(blocks: BlockReader, request: HttpRequest, signal: AbortSignal): Promise<Answer> {
  const wanted = parseGatewayRequest(request)
  const path = await resolvePath(blocks, wanted.cid, wanted.path, { signal })
  const target = path?.at(-1)
  if (path === undefined || target === undefined) throw absent(wanted, request)
  const headers = headersOf(wanted)
  if (matches(request.headers['if-none-match'], wanted.etag)) return { status: 304, headers }
  if (wanted.format === 'raw') return { status: 200, headers, body: { length: target.bytes.length, read: () => once(target) } }
  const car = encodeCar(wanted.cid, exportDag(blocks, path, { ...wanted.selection, signal }))
  return { status: 200, headers, body: { length: undefined, read: () => cutShort(car) } }
}

/** Blocks that are read one after the other, each when there is room for it. */
function inTurn(blocks: BlockReader, slot: BlockSlot): BlockReader {
  return {
    has: (cid, options) => blocks.has(cid, options),
    async get(cid, options) {
      if (!(await slot.next())) throw new GatewayError(503, 'too many requests')
      return blocks.get(cid, options)
    },
  }
}

async function* closing(body: AsyncIterable<Uint8Array>, slot: BlockSlot): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* body
  } finally {
    slot.close()
  }
}

async function* once({ cid, bytes }: Block): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes
  // An identity CID lends its own bytes; all others are ours.
  if (cid.multihash.code !== IDENTITY) giveBack(bytes)
}

/** "If a child block is encountered as missing during DAG traversal: The gateway SHOULD terminate the stream". */
async function* cutShort(car: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* car
  } catch (cause) {
    if (cause instanceof ContentUnavailableError || cause instanceof VerificationError) throw new GatewayError(404, cause.message, { cause })
    throw cause
  }
}

function absent({ cid, path }: GatewayRequest, request: HttpRequest): GatewayError {
  // "When received, gateway SHOULD return HTTP 412 if the root block is not immediately available."
  const status = /\bonly-if-cached\b/i.test(request.headers['cache-control'] ?? '') ? 412 : 404
  return new GatewayError(status, `not here: ${['/ipfs', cid, ...path].join('/')}`)
}

function headersOf({ cid, path, format, selection, etag, location }: GatewayRequest): OutgoingHttpHeaders {
  return {
    'Content-Type': format === 'raw' ? 'application/vnd.ipld.raw' : `application/vnd.ipld.car; version=1; order=dfs; dups=${selection.duplicates ? 'y' : 'n'}`,
    'Content-Disposition': `attachment; filename="${cid}.${format === 'raw' ? 'bin' : 'car'}"`,
    // "MUST be returned for every immutable resource under `/ipfs/` namespace."
    'Cache-Control': 'public, max-age=29030400, immutable',
    'Accept-Ranges': 'none',
    'X-Ipfs-Path': ['/ipfs', cid.toString(), ...path.map(encodeURIComponent)].join('/'),
    ETag: etag,
    Vary: 'Accept',
    ...(location === undefined ? {} : { 'Content-Location': location }),
  }
}

function refusal({ status, message }: GatewayError): Answer {
  return {
    status,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store', ...(status === 405 ? { Allow: 'GET, HEAD' } : {}), ...(status === 503 ? { 'Retry-After': '10' } : {}) },
    body: `${message}\n`,
  }
}
