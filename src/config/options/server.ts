import { choice, checked, integer, path, text, toggle } from '../kinds.ts'
import { goDurationOrNone } from '../measures.ts'
import { list, mapOf, paths } from '../structures.ts'
import { checkRange, checkUrl } from './addresses.ts'
import type { OptionTable } from './option.ts'

/** Extra headers by their name, each with its values. */
export type HeaderLists = Readonly<Record<string, readonly string[]>>

export interface ServerConfig {
  /** Address that the registry listens on. */
  readonly host: string
  /** TCP port that the registry listens on; 0 takes a free one. */
  readonly port: number
  readonly processes: number
  /** URL that clients know the registry by. */
  readonly externalHost: string | undefined
  /** Path that everything is below, with a slash before it and none after it. */
  readonly httpPrefix: string | undefined
  readonly httpSecret: string | undefined
  readonly httpHeaders: HeaderLists
  /** Time for requests in flight when stopping, in milliseconds. */
  readonly drainTimeout: number
  readonly http2Disabled: boolean
  readonly h2c: boolean
  /** Files, PEM. */
  readonly tlsCertificate: string | undefined
  readonly tlsKey: string | undefined
  readonly tlsClientCas: readonly string[]
  readonly tlsClientAuth: 'request-client-cert' | 'require-any-client-cert' | 'verify-client-cert-if-given' | 'require-and-verify-client-cert'
  readonly tlsMinimum: 'tls1.2' | 'tls1.3'
  /** By their names of the IANA: `TLS_AES_128_GCM_SHA256`. */
  readonly tlsCipherSuites: readonly string[]
  /** Addresses and ranges of them, whose `X-Forwarded-…` are believed. */
  readonly trustedProxies: readonly string[]
}

export const headerLists: ReturnType<typeof mapOf<readonly string[]>> = mapOf(list('<value>', checkHeaderValue), (name) => {
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) throw new Error(`'${name}' is not the name of a header`)
})

export const SERVER_OPTIONS: OptionTable<ServerConfig> = {
  host: {
    flag: 'host',
    env: 'DISCO_HOST',
    yaml: 'disco.host',
    kind: text,
    default: '0.0.0.0',
    doc: 'Address to serve on. All of them by default, so that other machines can push and pull; `127.0.0.1` keeps the registry to this machine. Docker takes a registry without TLS only on localhost or when it is listed in its `insecure-registries`.',
  },
  port: {
    flag: 'port',
    env: 'DISCO_PORT',
    yaml: 'disco.port',
    kind: integer('<port>', 0, 65_535),
    default: 1970,
    doc: 'TCP port of the registry and its gateway. `0` takes a free one.',
  },
  processes: {
    flag: 'processes',
    env: 'DISCO_PROCESSES',
    yaml: 'disco.processes',
    kind: integer('<number>', 1, 256),
    default: 1,
    doc: 'Processes that serve requests. With 2 or more, one process beside them runs the IPFS node.',
  },
  tlsCertificate: {
    flag: 'tls-certificate',
    env: 'DISCO_TLS_CERTIFICATE',
    yaml: 'http.tls.certificate',
    kind: path,
    default: undefined,
    defaultText: 'none: plain HTTP',
    doc: 'File with the certificate and those that lead to its authority, PEM. With it and its key the registry speaks TLS.',
  },
  tlsKey: {
    flag: 'tls-key',
    env: 'DISCO_TLS_KEY',
    yaml: 'http.tls.key',
    kind: path,
    default: undefined,
    defaultText: 'none',
    doc: 'File with the private key of the certificate, PEM.',
  },
  tlsClientCas: {
    yaml: 'http.tls.clientcas',
    kind: paths,
    default: [],
    doc: 'Files with the authorities whose clients are let in, PEM. Without them no client is asked for a certificate.',
  },
  tlsClientAuth: {
    yaml: 'http.tls.clientauth',
    kind: choice('request-client-cert', 'require-any-client-cert', 'verify-client-cert-if-given', 'require-and-verify-client-cert'),
    default: 'require-and-verify-client-cert',
    doc: 'What is wanted of a client\'s certificate, where `http.tls.clientcas` are given.',
  },
  tlsMinimum: {
    yaml: 'http.tls.minimumtls',
    kind: choice('tls1.2', 'tls1.3'),
    default: 'tls1.2',
    doc: 'Oldest version of TLS that is spoken.',
  },
  tlsCipherSuites: {
    yaml: 'http.tls.ciphersuites',
    kind: list('<name>', (name) => {
      if (!/^TLS_[A-Z0-9_]+$/.test(name)) throw new Error(`'${name}' is not a cipher suite like TLS_AES_128_GCM_SHA256`)
    }),
    default: [],
    defaultText: 'those of Node',
    doc: 'Cipher suites that are spoken, by their names of the IANA, as Distribution has them.',
  },
  http2Disabled: { yaml: 'http.http2.disabled', kind: toggle, default: false, doc: 'No HTTP/2 over TLS.' },
  h2c: { yaml: 'http.h2c.enabled', kind: toggle, default: false, doc: 'HTTP/2 without TLS, for a proxy that speaks it.' },
  externalHost: {
    yaml: 'http.host',
    kind: checked('<url>', checkUrl),
    default: undefined,
    defaultText: 'what the client asked for',
    doc: 'URL that clients know the registry by, for where they log in.',
  },
  httpPrefix: {
    yaml: 'http.prefix',
    kind: checked('<path>', (value) => {
      if (!/^\/(?:[\w.~-]+\/?)*$/.test(value)) throw new Error(`'${value}' is not a path like /registry/`)
    }),
    default: undefined,
    defaultText: '/',
    doc: 'Path that the registry is below, where a proxy gives it only a part of a host.',
  },
  httpHeaders: {
    yaml: 'http.headers',
    kind: headerLists,
    default: {},
    defaultText: 'none',
    doc: 'Headers for every answer, each with a list of values: `X-Content-Type-Options: [nosniff]`.',
  },
  httpSecret: {
    yaml: 'http.secret',
    kind: text,
    default: undefined,
    defaultText: 'one that is made and kept in the data directory',
    secret: true,
    doc: 'Signs the tokens that Disco itself gives to those who log in, so it is long and random. Several machines that serve as one registry need the same.',
  },
  drainTimeout: {
    yaml: 'http.draintimeout',
    kind: goDurationOrNone,
    default: 10_000,
    doc: 'Time for requests in flight when Disco is told to end.',
  },
  trustedProxies: {
    env: 'DISCO_TRUSTED_PROXIES',
    yaml: 'disco.trustedproxies',
    kind: list('<address>', checkRange),
    default: [],
    doc: 'Proxies that are believed what they say of the client (`X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host`): addresses, or ranges like `10.0.0.0/8`.',
  },
}

function checkHeaderValue(value: string): void {
  if (/[\r\n\0]/.test(value)) throw new Error('has a line break in it, which no header may')
}
