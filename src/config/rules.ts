import { isDeepStrictEqual } from 'node:util'
import type { BucketConfig } from './options/bucket.ts'
import type { AzureConfig, GcsConfig } from './options/cloud-buckets.ts'
import { OPTIONS, optionNames, type Config, type OptionName } from './options.ts'
import type { Origins } from './origins.ts'
import type { ConfigProblem } from './problem.ts'
import { sendsToBucket, storageProblems } from './storage-rules.ts'

/** Options that each say something sound and contradict each other, or lack another: everything at once. */
export function contradictions(config: Config, origins: Origins): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const rule = (name: OptionName, isBroken: boolean, reason: string): void => {
    if (isBroken) problems.push({ where: origins.option(name) ?? name, reason })
  }
  problems.push(...authProblems(config, origins), ...storageProblems(config, origins))
  rule('swarmKey', config.swarmKey !== undefined && config.network === 'public' && config.kubo.length === 0, 'is for a private network: add --network private')
  rule('pinning', config.pinning.length > 0 && config.kubo.length === 0, 'is done by Kubo: name one by storage.ipfs.router.nodes or --kubo')
  rule('tlsCertificate', config.tlsCertificate !== undefined && config.tlsKey === undefined, 'is a certificate without its key: add http.tls.key')
  rule('tlsKey', config.tlsKey !== undefined && config.tlsCertificate === undefined, 'is a key without its certificate: add http.tls.certificate')
  rule('tlsClientCas', config.tlsClientCas.length > 0 && config.tlsCertificate === undefined, 'is about TLS: add http.tls.certificate and http.tls.key')
  rule('h2c', config.h2c && config.tlsCertificate !== undefined, 'is HTTP/2 without TLS, and there is a certificate: take one of them out')
  rule('indexPlatformList', config.indexPlatforms !== 'list' && config.indexPlatformList.length > 0 && origins.option('indexPlatforms') === undefined, 'counts with validation.manifests.indexes.platforms: list')
  rule('indexPlatforms', config.indexPlatforms === 'list' && config.indexPlatformList.length === 0, 'is a list, and there is none: add validation.manifests.indexes.platformlist')
  return [...problems, ...sameNames(config, origins)]
}

/** What of each way to log in has to be given. */
const SCHEMES = {
  htpasswd: ['authHtpasswdPath'],
  token: ['authTokenRealm', 'authTokenService', 'authTokenIssuer'],
  silly: ['authSillyRealm', 'authSillyService'],
} as const satisfies Record<string, readonly OptionName[]>

/** Everybody gets tokens, and may try at home what secret makes their signature. */
const SHORTEST_SECRET = 16

function authProblems(config: Config, origins: Origins): ConfigProblem[] {
  const chosen = (Object.keys(SCHEMES) as (keyof typeof SCHEMES)[]).flatMap((scheme) => {
    // Whoever gives a whole configuration gives the defaults too.
    const options = optionNames().filter((name) => OPTIONS[name].yaml.startsWith(`auth.${scheme}.`) && !isDeepStrictEqual(config[name], OPTIONS[name].default))
    const where = origins.group(`auth.${scheme}`) ?? options.map((name) => origins.option(name)).find((place) => place !== undefined)
    return where === undefined ? [] : [{ scheme, where }]
  })
  const problems = chosen.slice(1).map(({ scheme, where }) => ({ where, reason: `auth.${scheme} and auth.${chosen[0]?.scheme}: one of them is the way to log in` }))
  for (const { scheme, where } of chosen) {
    const missing = SCHEMES[scheme].filter((name) => config[name] === undefined)
    for (const name of missing) problems.push({ where, reason: `auth.${scheme} lacks ${name.replace(/^auth(?:Htpasswd|Token|Silly)/, '').toLowerCase()}` })
  }
  const isToken = chosen.some(({ scheme }) => scheme === 'token')
  if (isToken && config.authTokenRootCertBundle === undefined && config.authTokenJwks === undefined) {
    problems.push({ where: chosen.find(({ scheme }) => scheme === 'token')?.where ?? '', reason: 'auth.token lacks rootcertbundle or jwks: without keys no token can be believed' })
  }
  const access = origins.option('access')
  if (access !== undefined && chosen.length === 0 && config.access?.some(({ users }) => users.some((user) => user !== 'anonymous')) === true) {
    problems.push({ where: access, reason: 'names users, and nobody can log in: add auth.htpasswd or auth.token' })
  }
  const anonymous = origins.option('anonymousPull')
  if (anonymous !== undefined && config.anonymousPull && chosen.length === 0) {
    problems.push({ where: anonymous, reason: 'leaves pulls open beside a login, and there is none: add auth.htpasswd or auth.token' })
  }
  const givesTokens = config.authHtpasswdPath !== undefined && (config.anonymousPull || config.access?.some(({ users }) => users.includes('anonymous')) === true)
  if (givesTokens && config.httpSecret !== undefined && config.httpSecret.length < SHORTEST_SECRET) {
    const reason = `can be guessed from the tokens that it signs, and those of others be made: ${SHORTEST_SECRET} characters at least, at random`
    problems.push({ where: origins.option('httpSecret') ?? 'httpSecret', reason })
  }
  return problems
}

/** What a Kubo is told by its own configuration. */
const OF_OUR_NODE = ['network', 'listen', 'announce', 'swarmKey'] as const satisfies readonly OptionName[]
/** … and what only IPFS has a use for. */
const OF_IPFS = ['kubo', 'listen', 'announce', 'swarmKey', 'peer', 'pinning'] as const satisfies readonly OptionName[]

/** What was understood and means nothing beside the rest. */
export function pointless(config: Config, origins: Origins): string[] {
  return [...withoutIpfs(config, origins), ...besideKubo(config, origins), ...redirectTwice(config, origins), ...outOfReach(config, origins)]
}

const LOOPBACK = /^(?:https?:\/\/)?(?:localhost|127\.[\d.]+|\[::1\])(?::\d+)?(?:\/|$)/i

const BUCKETS = ['storageS3', 'storageR2', 'storageGcs', 'storageAzure', 'cacheS3', 'cacheR2', 'cacheGcs', 'cacheAzure'] as const satisfies readonly OptionName[]

function outOfReach(config: Config, origins: Origins): string[] {
  const images = config.storageS3 ?? config.storageR2 ?? config.storageGcs ?? config.storageAzure
  const endpoint = images === undefined
    ? endpointOf(config.cacheS3 ?? config.cacheR2, config.cacheGcs, config.cacheAzure)
    : endpointOf(config.storageS3 ?? config.storageR2, config.storageGcs, config.storageAzure)
  if (!sendsToBucket(config) || !LOOPBACK.test(endpoint)) return []
  const name = BUCKETS.find((each) => origins.option(each) !== undefined) ?? 'storageS3'
  const remedy = config.redirect === true ? 'storage.ipfs.redirect: false' : 'storage.redirect.disable: true'
  return [`${origins.option(name) ?? name}: clients get blobs from the bucket at ${endpoint}, which those on other machines can't reach: set ${remedy}`]
}

function redirectTwice({ redirect, redirectDisabled }: Config, origins: Origins): string[] {
  const where = origins.option('redirect')
  if (where === undefined || (redirect ?? false) === false || !redirectDisabled) return []
  return [`${where}: storage.ipfs.redirect means nothing with storage.redirect.disable: true`]
}

function endpointOf(s3: Pick<BucketConfig, 'regionEndpoint'> | undefined, gcs: GcsConfig | undefined, azure: AzureConfig | undefined): string {
  return s3?.regionEndpoint ?? gcs?.endpoint ?? azure?.serviceUrl ?? ''
}

function withoutIpfs({ cacheOnly }: Config, origins: Origins): string[] {
  if (!cacheOnly) return []
  return OF_IPFS.flatMap((name) => {
    const where = origins.option(name)
    return where === undefined ? [] : [`${where}: ${OPTIONS[name].yaml} means nothing with cacheonly: there is no IPFS`]
  })
}

function besideKubo(config: Config, origins: Origins): string[] {
  if (config.cacheOnly || config.kubo.length === 0) return []
  const given = OF_OUR_NODE.flatMap((name) => {
    const where = origins.option(name)
    return where === undefined ? [] : [{ where, key: OPTIONS[name].yaml }]
  })
  if (given.length === 0) return []
  const keys = given.map(({ key }) => key).join(' and ')
  return [`${given.map(({ where }) => where).join(', ')}: ${keys} ${given.length === 1 ? 'means' : 'mean'} nothing with Kubo, which is the IPFS node: its own configuration says it`]
}

function sameNames({ notificationEndpoints }: Config, origins: Origins): ConfigProblem[] {
  const names = notificationEndpoints.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  return twice === undefined ? [] : [{ where: origins.option('notificationEndpoints') ?? 'notificationEndpoints', reason: `has two endpoints called ${twice}` }]
}
