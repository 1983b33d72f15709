import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import type { EntityBytes, ExportOptions } from '../ipfs/unixfs/dag-export.ts'
import type { HttpRequest } from './message.ts'

/** What a client did wrong; said in plain text. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  readonly status: number

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.status = status
  }
}

export interface GatewayRequest {
  readonly cid: CID
  readonly path: readonly string[]
  readonly format: 'raw' | 'car'
  /** What a CAR is to hold. */
  readonly selection: Pick<ExportOptions, 'scope' | 'bytes' | 'duplicates'>
  readonly etag: string
  /** Where the same is found without `Accept`; undefined when the request's URL says it all. */
  readonly location: string | undefined
}

const MEDIA_TYPES: Readonly<Record<string, GatewayRequest['format']>> = {
  'application/vnd.ipld.raw': 'raw',
  'application/vnd.ipld.car': 'car',
}
/** Of the text; a hash of 128 bytes takes some 210 characters. */
const MAX_CID_LENGTH = 256
const SCOPES: readonly string[] = ['block', 'entity', 'all'] satisfies ExportOptions['scope'][]

/** @throws GatewayError */
export function parseGatewayRequest(request: Pick<HttpRequest, 'url' | 'headers'>): GatewayRequest {
  // Not by URL, which would take `/ipfs/a/../b` for another path than the one that access was decided for.
  const [pathname = '', ...search] = (request.url ?? '').split('?')
  const query = new URLSearchParams(search.join('?'))
  const { cid, path } = contentPath(pathname)
  const { format, params } = negotiate(query, request.headers.accept)
  // "For block requests only `GET /ipfs/{cid}[?{params}]` is supported."
  if (format === 'raw' && path.length > 0) throw new GatewayError(400, 'a raw block has no path below its CID')
  const selection = selectionOf(query, params)
  const location = query.has('format') ? undefined : locationOf(pathname, query, format)
  return { cid, path, format, selection, etag: format === 'raw' ? `"${cid}.raw"` : carTag(cid, path, selection), location }
}

/** The repository's name that a rule or a token has for what is asked for: its CID in base32, however it was written. Empty where there is none. */
export function nameOfContent(pathname: string): string {
  try {
    return contentPath(pathname).cid.toV1().toString()
  } catch {
    return ''
  }
}

function contentPath(pathname: string): { cid: CID; path: string[] } {
  let segments: string[]
  try {
    segments = pathname.split('/').slice(2).map(decodeURIComponent)
  } catch (cause) {
    throw new GatewayError(400, 'malformed path', { cause })
  }
  const [text = '', ...path] = segments
  // Reading base58 takes time by the square of its length.
  if (text.length > MAX_CID_LENGTH) throw new GatewayError(400, 'a CID that is too long')
  if (path.at(-1) === '') path.pop()
  try {
    return { cid: CID.parse(text), path }
  } catch (cause) {
    throw new GatewayError(400, `not a CID: ${text.slice(0, 100)}`, { cause })
  }
}

interface Negotiated {
  readonly format: GatewayRequest['format']
  /** Parameters of the media type. */
  readonly params: URLSearchParams
}

/** "When both `Accept` HTTP header and `format` query parameter are present, `format` SHOULD take precedence." */
function negotiate(query: URLSearchParams, accept: string | undefined): Negotiated {
  const offers = (accept ?? '').split(',').flatMap(offerOf).sort((a, b) => b.weight - a.weight)
  const named = query.get('format')
  if (named !== null) {
    if (named !== 'raw' && named !== 'car') throw new GatewayError(406, `format=${named} is not supported: this gateway gives raw blocks and CARs`)
    return { format: named, params: offers.find(({ format }) => format === named)?.params ?? new URLSearchParams() }
  }
  // "A Gateway SHOULD return HTTP 400 Bad Request when running in strict trustless mode and `Accept` header is missing."
  if (accept === undefined) throw new GatewayError(400, 'name the format: ?format=raw, ?format=car or an Accept header')
  const best = offers[0]
  if (best === undefined) throw new GatewayError(406, 'this gateway is trustless: ask for application/vnd.ipld.raw or application/vnd.ipld.car')
  return best
}

function offerOf(text: string): (Negotiated & { weight: number })[] {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim())
  const format = MEDIA_TYPES[type.toLowerCase()]
  if (format === undefined) return []
  const params = new URLSearchParams(rest.join('&'))
  const weight = Number(params.get('q') ?? 1)
  return weight > 0 ? [{ format, params, weight }] : []
}

/** "The URL query parameter SHOULD take precedence." */
function selectionOf(query: URLSearchParams, params: URLSearchParams): GatewayRequest['selection'] {
  const version = query.get('car-version') ?? params.get('version') ?? '1'
  if (version !== '1') throw new GatewayError(400, `CAR version ${version} is not supported`)
  const order = query.get('car-order') ?? params.get('order') ?? 'dfs'
  if (order !== 'dfs' && order !== 'unk') throw new GatewayError(400, `CAR order ${order} is not supported`)
  const dups = query.get('car-dups') ?? params.get('dups') ?? 'n'
  if (dups !== 'y' && dups !== 'n') throw new GatewayError(400, 'car-dups is y or n')
  const bytes = entityBytes(query.get('entity-bytes'))
  const scope = query.get('dag-scope') ?? (bytes === undefined ? 'all' : 'entity')
  if (!isScope(scope)) throw new GatewayError(400, 'dag-scope is block, entity or all')
  return { scope: bytes === undefined ? scope : 'entity', bytes, duplicates: dups === 'y' }
}

function isScope(text: string): text is ExportOptions['scope'] {
  return SCOPES.includes(text)
}

function entityBytes(text: string | null): EntityBytes | undefined {
  if (text === null) return undefined
  const match = /^(-?\d{1,15}):(\*|-?\d{1,15})$/.exec(text)
  if (match === null) throw new GatewayError(400, 'entity-bytes is <from>:<to>')
  return { from: Number(match[1]), to: match[2] === '*' ? undefined : Number(match[2]) }
}

/** "When present, returned `Etag` must include unique prefix based on the passed scope type." */
function carTag(cid: CID, path: readonly string[], { scope, bytes, duplicates }: GatewayRequest['selection']): string {
  const rest = createHash('sha256').update(JSON.stringify([path, bytes, duplicates])).digest('hex').slice(0, 16)
  return `"${scope}.${rest}.${cid}.car"`
}

function locationOf(pathname: string, search: URLSearchParams, format: string): string {
  const query = new URLSearchParams(search)
  query.set('format', format)
  return `${pathname}?${query}`
}
