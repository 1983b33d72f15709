import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import { endpointOf, type Settled } from './options.ts'

/** Connections to one server at most. */
const SOCKETS = 256
/** In milliseconds: to connect, and without a byte either way. */
const CONNECT_TIMEOUT = 5_000
const IDLE_TIMEOUT = 15_000

const silent = (): void => {}

/** When the server says that it is, in an answer: what it says of its objects' times is by this clock. */
export const SERVER_TIME: unique symbol = Symbol('server time')

export function makeClient(options: Settled): S3Client {
  const { accessKey, secretKey, sessionToken, secure = true, skipVerify = false, r2 = false } = options
  const endpoint = endpointOf(options)
  const agent = { keepAlive: true, maxSockets: SOCKETS }
  const config: S3ClientConfig = {
    region: options.region,
    forcePathStyle: options.forcePathStyle,
    useDualstackEndpoint: options.useDualStack ?? false,
    useAccelerateEndpoint: options.accelerate ?? false,
    useFipsEndpoint: options.useFipsEndpoint ?? false,
    // Tries are counted in one place, ours, which can send a stream anew as well.
    maxAttempts: 1,
    followRegionRedirects: true,
    // It would have a connection of its own for each piece, and wait for servers that do not know it.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT,
      socketTimeout: IDLE_TIMEOUT,
      httpAgent: agent,
      httpsAgent: { ...agent, rejectUnauthorized: !skipVerify },
    },
    // It would write to the console, and not to our log.
    logger: { debug: silent, info: silent, warn: silent, error: silent },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(endpoint === undefined && !secure ? { tls: false } : {}),
    ...(accessKey === undefined || secretKey === undefined
      ? {}
      : { credentials: { accessKeyId: accessKey, secretAccessKey: secretKey, ...(sessionToken === undefined ? {} : { sessionToken }) } }),
    ...(options.userAgent === undefined ? {} : { customUserAgent: options.userAgent }),
    // R2 and older servers refuse checksums that they do not know; ours, of parts, say what they are.
    ...(r2 || endpoint !== undefined ? { requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' } : {}),
  }
  const client = new S3Client(config)
  client.middlewareStack.add((next) => async (args) => {
    const result = await next(args)
    const date = (result.response as { headers?: Record<string, string> } | undefined)?.headers?.['date']
    Object.assign(result.output as object, { [SERVER_TIME]: date === undefined ? Date.now() : Date.parse(date) })
    return result
  }, { step: 'deserialize', name: 'discoServerTime', priority: 'high' })
  return client
}
