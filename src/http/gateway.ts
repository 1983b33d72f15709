import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { encodeCar } from '../ipfs/car.ts'
import { giveBack } from '../ipfs/give-back.ts'
import type { BlockReader } from '../ipfs/node.ts'
import { IDENTITY } from '../ipfs/unixfs/block.ts'
import { exportDag, resolvePath } from '../ipfs/unixfs/dag-export.ts'
import { matches } from './conditional.ts'
import { GatewayError, parseGatewayRequest, type GatewayRequest } from './gateway-request.ts'

export type GatewayHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/**
 * A trustless gateway (specs.ipfs.tech/http-gateways/trustless-gateway) over the blocks that are here: raw blocks and
 * CARs, nothing deserialized, nothing fetched from elsewhere.
 */
export function createGateway(blocks: BlockReader): GatewayHandler {
  return async (request, response) => {
    const left = new AbortController()
    response.once('close', () => left.abort(new Error('the client went away')))
    try {
      if (request.method !== 'GET' && request.method !== 'HEAD') throw new GatewayError(405, 'only GET and HEAD')
      await answer(blocks, request, response, left.signal)
    } catch (error) {
      if (!(error instanceof GatewayError) || response.headersSent) throw error
      refuse(response, error, request.method === 'HEAD')
    }
  }
}

async function answer(blocks: BlockReader, request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
  const wanted = parseGatewayRequest(request)
  const path = await resolvePath(blocks, wanted.cid, wanted.path, { signal })
  const target = path?.at(-1)
  if (path === undefined || target === undefined) throw absent(wanted, request)
  const headers = headersOf(wanted)
  if (matches(request.headers['if-none-match'], wanted.etag)) {
    response.writeHead(304, headers).end()
    return
  }
  if (wanted.format === 'raw') {
    response.writeHead(200, { ...headers, 'Content-Length': target.bytes.length })
    if (request.method === 'HEAD') response.end()
    // An identity CID lends its own bytes; all others are ours.
    else response.end(target.bytes, () => target.cid.multihash.code !== IDENTITY && giveBack(target.bytes))
    return
  }
  response.writeHead(200, headers)
  if (request.method === 'HEAD') {
    response.end()
    return
  }
  const car = encodeCar(wanted.cid, exportDag(blocks, path, { ...wanted.selection, signal }))
  await pipeline(Readable.from(car, { objectMode: true, highWaterMark: 1 }), response)
}

function absent({ cid }: GatewayRequest, request: IncomingMessage): GatewayError {
  // "When received, gateway SHOULD return HTTP 412 if the root block is not immediately available."
  const status = /\bonly-if-cached\b/i.test(request.headers['cache-control'] ?? '') ? 412 : 404
  return new GatewayError(status, `not here: ${cid}`)
}

function headersOf({ cid, path, format, selection, etag, location }: GatewayRequest): OutgoingHttpHeaders {
  return {
    'Content-Type': format === 'raw' ? 'application/vnd.ipld.raw' : `application/vnd.ipld.car; version=1; order=dfs; dups=${selection.duplicates ? 'y' : 'n'}`,
    'Content-Disposition': `attachment; filename="${cid}.${format === 'raw' ? 'bin' : 'car'}"`,
    // "MUST be returned for every immutable resource under `/ipfs/` namespace."
    'Cache-Control': 'public, max-age=29030400, immutable',
    'Accept-Ranges': 'none',
    'X-Content-Type-Options': 'nosniff',
    'X-Ipfs-Path': ['/ipfs', cid.toString(), ...path.map(encodeURIComponent)].join('/'),
    ETag: etag,
    Vary: 'Accept',
    ...(location === undefined ? {} : { 'Content-Location': location }),
  }
}

function refuse(response: ServerResponse, { status, message }: GatewayError, head: boolean): void {
  const text = `${message}\n`
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
    ...(status === 405 ? { Allow: 'GET, HEAD' } : {}),
  })
  response.end(head ? undefined : text)
}
