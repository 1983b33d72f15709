import { ConfigError } from '../config/problem.ts'
import type { Config } from '../config/options.ts'
import type { ValueChecks } from '../config/load.ts'
import { ciphersOf } from '../http/cipher-suites.ts'
import { ClientLimits } from '../http/client-limits.ts'
import { Networks } from '../http/networks.ts'
import { Prefix } from '../http/prefix.ts'
import type { RequestListenerParts } from '../http/request-listener.ts'
import { HttpServer } from '../http/server.ts'
import { TlsFiles } from '../http/tls-files.ts'
import type { Logger } from '../telemetry/logger.ts'

export interface ServerGround {
  readonly config: Config
  readonly log: Logger
  /** It answers other processes of this registry, which have looked at the request already. */
  readonly local: boolean
}

export interface BuiltServer {
  readonly http: HttpServer
  /** Undefined without TLS. */
  readonly tls: TlsFiles | undefined
}

/** What the server has against values, told before it starts and with the option that it stands in. */
export const SERVER_CHECKS: ValueChecks = { tlsCipherSuites: ciphersOf }

/**
 * The HTTP face, as the configuration has it.
 *
 * @throws ConfigError for a certificate that is not usable
 */
export function createServer({ config, log, local }: ServerGround, parts: Omit<RequestListenerParts, 'log'>): BuiltServer {
  const { limits } = config
  // What a client wrote comes with what is told of the client, which says some of it once more.
  if (local) return { http: new HttpServer({ ...parts, log, local, headerSize: 4 * limits.headerSize }), tls: undefined }
  const trustedProxies = config.trustedProxies.length > 0 ? new Networks(config.trustedProxies) : undefined
  const tls = createTls(config, log)
  const http = new HttpServer({
    ...parts,
    log,
    tls,
    http2: !config.http2Disabled,
    h2c: config.h2c,
    headerSize: limits.headerSize,
    connections: { total: limits.connections, trustedProxies },
    headers: config.httpHeaders,
    prefix: config.httpPrefix === undefined || config.httpPrefix === '/' ? undefined : new Prefix(config.httpPrefix),
    trustedProxies,
    blobSize: limits.blobSize,
    limits: new ClientLimits({
      requests: limits.requestsPerClient,
      uploads: limits.uploadsPerClient,
      clones: limits.clonesPerClient,
      rate: limits.rate,
      burst: limits.burst,
    }),
  })
  return { http, tls }
}

/** `https://localhost:1970` */
export function addressOf({ host, tlsCertificate }: Config, port: number): string {
  const named = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `${tlsCertificate === undefined ? 'http' : 'https'}://${named.includes(':') ? `[${named}]` : named}:${port}`
}

function createTls(config: Config, log: Logger): TlsFiles | undefined {
  const { tlsCertificate: certificate, tlsKey: key } = config
  if (certificate === undefined || key === undefined) return undefined
  try {
    return new TlsFiles({
      certificate,
      key,
      clientCas: config.tlsClientCas,
      clientAuth: config.tlsClientAuth,
      minimum: config.tlsMinimum,
      cipherSuites: config.tlsCipherSuites,
      log,
    })
  } catch (error) {
    throw new ConfigError([{ where: 'http.tls', reason: (error as Error).message }])
  }
}
