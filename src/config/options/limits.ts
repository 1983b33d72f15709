import { integer } from '../kinds.ts'
import { size } from '../measures.ts'
import { fields } from '../structures.ts'
import type { OptionTable } from './option.ts'

const MOST = 1_000_000_000
const count = integer('<number>', 0, MOST)

/** What one client, or all of them, may take; 0 is no limit. A client is a user, or an address where nobody has said who they are. */
export interface Limits {
  /** Uploads under way at once. */
  readonly uploadsPerClient: number
  /** Requests at once. */
  readonly requestsPerClient: number
  /** Requests a second, in the long run. */
  readonly rate: number
  /** Requests beyond the rate that may come at once. */
  readonly burst: number
  /** Clones under way at once. */
  readonly clonesPerClient: number
  /** Most bytes of an image that is fetched. */
  readonly cloneSize: number
  /** Most bytes of a blob that is pushed. */
  readonly blobSize: number
  /** Connections at once, of all clients. */
  readonly connections: number
  /** Most bytes of the headers of a request. */
  readonly headerSize: number
}

export interface LimitsConfig {
  readonly limits: Limits
}

const DEFAULTS: Limits = {
  uploadsPerClient: 1_024,
  requestsPerClient: 4_096,
  rate: 0,
  burst: 1_000,
  clonesPerClient: 128,
  cloneSize: 2 ** 40,
  blobSize: 2 ** 40,
  connections: 10_000,
  headerSize: 16 * 1024,
}

export const LIMITS_OPTIONS: OptionTable<LimitsConfig> = {
  limits: {
    yaml: 'disco.limits',
    kind: fields<Limits>({
      uploadsPerClient: { kind: count, default: DEFAULTS.uploadsPerClient, doc: 'Uploads of a client that are under way at once.' },
      requestsPerClient: { kind: count, default: DEFAULTS.requestsPerClient, doc: 'Requests of a client at once.' },
      rate: { kind: count, default: DEFAULTS.rate, doc: 'Requests of a client a second, in the long run. None by default: some ask 40,000 times a second, and mean it.' },
      burst: { kind: count, default: DEFAULTS.burst, doc: 'Requests of a client that may come at once, beyond the rate.' },
      clonesPerClient: { kind: count, default: DEFAULTS.clonesPerClient, doc: 'Images that are fetched for a client at once.' },
      cloneSize: { kind: size(0), default: DEFAULTS.cloneSize, doc: 'Largest image that is fetched.' },
      blobSize: { kind: size(0), default: DEFAULTS.blobSize, doc: 'Largest blob that is taken.' },
      connections: { kind: count, default: DEFAULTS.connections, doc: 'Connections at once, of all clients, a process.' },
      headerSize: { kind: size(4096), default: DEFAULTS.headerSize, doc: 'Largest headers of a request.' },
    }),
    default: DEFAULTS,
    defaultText: 'each its own',
    doc: 'What clients may take; `0` is no limit. A client is a user, or an address where nobody has said who they are.',
  },
}
