import { checked, integer, path, renamed, toggle } from '../kinds.ts'
import { goDuration } from '../measures.ts'
import { fields, listOf, mapOf } from '../structures.ts'
import { checkAddress, checkUrl } from './addresses.ts'
import type { OptionTable } from './option.ts'
import { headerLists, type HeaderLists } from './server.ts'

export interface HealthFile {
  readonly file: string
  /** In milliseconds. */
  readonly interval: number
  /** Failures in a row that count. */
  readonly threshold: number
}

export interface HealthHttp {
  readonly uri: string
  readonly headers: HeaderLists
  readonly statusCode: number
  /** In milliseconds. */
  readonly timeout: number
  readonly interval: number
  readonly threshold: number
}

export interface HealthTcp {
  readonly addr: string
  /** In milliseconds. */
  readonly timeout: number
  readonly interval: number
  readonly threshold: number
}

export interface ObservabilityConfig {
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
  /** @default text at a terminal, JSON elsewhere */
  readonly logFormatter: 'text' | 'json' | undefined
  /** Stand in every line. */
  readonly logFields: Readonly<Record<string, string>>
  readonly accessLogDisabled: boolean
  /** `host:port` or `:port` of metrics and health. */
  readonly debugAddress: string | undefined
  readonly prometheusEnabled: boolean
  readonly prometheusPath: string
  /** URL that traces go to. */
  readonly otlpEndpoint: string | undefined
  readonly healthStorageEnabled: boolean
  /** In milliseconds. */
  readonly healthStorageInterval: number
  readonly healthStorageThreshold: number
  readonly healthFiles: readonly HealthFile[]
  readonly healthHttp: readonly HealthHttp[]
  readonly healthTcp: readonly HealthTcp[]
}

const threshold = integer('<number>', 1, 1_000_000)
const interval = { kind: goDuration, default: 10_000, doc: 'Time between two checks.' } as const
const timeout = { kind: goDuration, default: 5_000, doc: 'How long an answer may take.' } as const
const failures = { kind: threshold, default: 1, doc: 'Failures in a row that count.' } as const

export const OBSERVABILITY_OPTIONS: OptionTable<ObservabilityConfig> = {
  logLevel: {
    flag: 'log-level',
    env: 'DISCO_LOG_LEVEL',
    yaml: 'log.level',
    kind: renamed({ warning: 'warn', trace: 'debug', fatal: 'error', panic: 'error' }, 'debug', 'info', 'warn', 'error'),
    default: 'info',
    doc: 'Least weight of what is logged.',
  },
  logFormatter: {
    yaml: 'log.formatter',
    kind: renamed<'text' | 'json'>({ logstash: 'json' }, 'text', 'json'),
    default: undefined,
    defaultText: 'text at a terminal, JSON elsewhere',
    doc: '`json` is a JSON object a line, `text` is for people. `logstash` is taken for `json`.',
  },
  logFields: { yaml: 'log.fields', kind: mapOf(checked('<text>', () => undefined)), default: {}, doc: 'Fields that stand in every line.' },
  accessLogDisabled: { yaml: 'log.accesslog.disabled', kind: toggle, default: false, doc: 'No line for each request.' },
  debugAddress: {
    flag: 'debug',
    env: 'DISCO_DEBUG',
    yaml: 'http.debug.addr',
    kind: checked('<host:port>', checkAddress),
    default: undefined,
    defaultText: 'none',
    doc: 'Address of a second server with metrics and health, like `localhost:5001`. Whoever reaches it can read what goes on.',
  },
  prometheusEnabled: { yaml: 'http.debug.prometheus.enabled', kind: toggle, default: true, doc: 'Metrics for Prometheus at `http.debug.addr`.' },
  prometheusPath: {
    yaml: 'http.debug.prometheus.path',
    kind: checked('<path>', (value) => {
      if (!/^\/[^\s?#]*$/.test(value)) throw new Error(`'${value}' is not a path like /metrics`)
    }),
    default: '/metrics',
    doc: 'Where they are there.',
  },
  otlpEndpoint: {
    env: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    yaml: 'disco.telemetry.otlp',
    kind: checked('<url>', checkUrl),
    default: undefined,
    defaultText: 'none: no traces',
    doc: 'Collector of OpenTelemetry that traces go to over OTLP, like `http://localhost:4318`.',
  },
  healthStorageEnabled: { yaml: 'health.storagedriver.enabled', kind: toggle, default: true, doc: 'Look whether the store answers, for `/readyz`.' },
  healthStorageInterval: { yaml: 'health.storagedriver.interval', ...interval },
  healthStorageThreshold: { yaml: 'health.storagedriver.threshold', ...failures, default: 3 },
  healthFiles: {
    yaml: 'health.file',
    kind: listOf(fields<HealthFile>({ file: { kind: path, doc: 'While this file is there, Disco is not ready.' }, interval, threshold: failures })),
    default: [],
    doc: 'Files by which an operator takes this Disco out of service.',
  },
  healthHttp: {
    yaml: 'health.http',
    kind: listOf(fields<HealthHttp>({
      uri: { kind: checked('<url>', checkUrl), doc: 'Asked by HEAD.' },
      headers: { kind: headerLists, default: {}, doc: 'Headers of the request.' },
      statusCode: { kind: integer('<status>', 100, 599), default: 200, doc: 'Status that is right.' },
      timeout,
      interval,
      threshold: failures,
    })),
    default: [],
    doc: 'Services that must answer for Disco to be ready.',
  },
  healthTcp: {
    yaml: 'health.tcp',
    kind: listOf(fields<HealthTcp>({ addr: { kind: checked('<host:port>', checkAddress), doc: 'Must take a connection.' }, timeout, interval, threshold: failures })),
    default: [],
    doc: 'Addresses that must take connections for Disco to be ready.',
  },
}
