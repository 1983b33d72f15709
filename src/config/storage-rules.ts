import { OPTIONS, optionNames, type Config, type OptionName } from './options.ts'
import type { ConfigProblem } from './problem.ts'
import type { Origins } from './origins.ts'

interface Choice {
  readonly key: string
  readonly name: OptionName
  isChosen(config: Config): boolean
}

/** Storages, each with how it is chosen. */
const STORAGES: readonly Choice[] = [
  { key: 'storage.inmemory', name: 'storageInmemory', isChosen: ({ storageInmemory }) => storageInmemory },
  { key: 'storage.filesystem', name: 'storageFilesystem', isChosen: ({ storageFilesystem }) => storageFilesystem !== undefined },
  { key: 'storage.s3', name: 'storageS3', isChosen: ({ storageS3 }) => storageS3 !== undefined },
  { key: 'storage.r2', name: 'storageR2', isChosen: ({ storageR2 }) => storageR2 !== undefined },
  { key: 'storage.gcs', name: 'storageGcs', isChosen: ({ storageGcs }) => storageGcs !== undefined },
  { key: 'storage.azure', name: 'storageAzure', isChosen: ({ storageAzure }) => storageAzure !== undefined },
]
const KUBO: Choice = { key: 'storage.ipfs.router', name: 'kubo', isChosen: ({ kubo }) => kubo.length > 0 }

/** What may stand before IPFS. */
const CACHES: readonly Choice[] = [
  { key: 'storage.ipfs.cache.inmemory', name: 'cacheInmemory', isChosen: ({ cacheInmemory }) => cacheInmemory !== undefined },
  { key: 'storage.ipfs.cache.filesystem', name: 'cacheFilesystem', isChosen: ({ cacheFilesystem }) => cacheFilesystem !== undefined },
  { key: 'storage.ipfs.cache.s3', name: 'cacheS3', isChosen: ({ cacheS3 }) => cacheS3 !== undefined },
  { key: 'storage.ipfs.cache.r2', name: 'cacheR2', isChosen: ({ cacheR2 }) => cacheR2 !== undefined },
  { key: 'storage.ipfs.cache.gcs', name: 'cacheGcs', isChosen: ({ cacheGcs }) => cacheGcs !== undefined },
  { key: 'storage.ipfs.cache.azure', name: 'cacheAzure', isChosen: ({ cacheAzure }) => cacheAzure !== undefined },
]
const BUCKETS: ReadonlySet<OptionName> = new Set(['storageS3', 'storageR2', 'storageGcs', 'storageAzure', 'cacheS3', 'cacheR2', 'cacheGcs', 'cacheAzure'])
const MEMORIES: ReadonlySet<OptionName> = new Set(['storageInmemory', 'cacheInmemory'])

export function storageProblems(config: Config, origins: Origins): ConfigProblem[] {
  const chosenOf = (choices: readonly Choice[]): Choice[] => choices.filter((choice) => choice.isChosen(config))
  const problemAt = (name: OptionName, reason: string): ConfigProblem => ({ where: origins.option(name) ?? name, reason })
  const [caches, plain] = [chosenOf(CACHES), chosenOf(STORAGES)]
  const chosen = [...plain, ...chosenOf([KUBO]), ...caches]
  const problems: ConfigProblem[] = []
  const oneOf = ([first, ...others]: readonly Choice[], what: string): void => {
    if (first !== undefined && others.length > 0) problems.push(problemAt(first.name, `${[first, ...others].map(({ key }) => key).join(' and ')}: ${what}`))
  }
  oneOf(plain.length > 0 ? chosen : chosenOf([KUBO]), 'images are in one of them')
  if (plain.length === 0) oneOf(caches, 'one of them is the cache')
  for (const { key, name } of chosen.filter((choice) => MEMORIES.has(choice.name))) {
    if (config.processes !== 1) problems.push(problemAt(name, `${key} is of one process alone: with ${config.processes} each would have other images; name one process, or another storage`))
  }
  const [cache] = caches
  const hasBucket = chosen.some(({ name }) => BUCKETS.has(name))
  if (config.cacheOnly && cache === undefined) problems.push(problemAt('cacheOnly', 'has images in the cache alone, and there is none: add storage.ipfs.cache'))
  if (config.redirect === true && !hasBucket) problems.push(problemAt('redirect', 'sends clients to the bucket, and there is none: name the URL that they are sent to'))
  if ((config.redirect ?? false) !== false && cache === undefined && (plain.length === 0 || config.storageInmemory)) {
    problems.push(problemAt('redirect', 'sends clients to what serves the files of a cache, and there is none: add storage.ipfs.cache'))
  }
  if (config.replicas && !(hasBucket && cache !== undefined && config.kubo.length > 0)) {
    problems.push(problemAt('replicas', 'is for Discos that share Kubos and a bucket before them: add storage.ipfs.router.nodes and storage.ipfs.cache.s3'))
  }
  if (config.replicas && config.cacheOnly) problems.push(problemAt('replicas', 'says nothing with cacheonly: Discos on one bucket are replicas anyway'))
  return [...problems, ...emptyGroups(origins), ...kuboProblems(config, origins)]
}

/** Whether clients are sent for blobs to the bucket of the images, or of their cache. */
export function sendsToBucket({ redirect, redirectDisabled, storageS3, storageR2, storageGcs, storageAzure }: Config): boolean {
  return !redirectDisabled && (redirect ?? (storageS3 ?? storageR2 ?? storageGcs ?? storageAzure) !== undefined) === true
}

/** Whoever names IPFS as the storage means more than Disco would do without, and what is missing. */
const GROUPS: readonly (readonly [key: string, missing: string])[] = [
  ['storage.ipfs.router', 'name Kubos by nodes'],
  ['storage.ipfs.cache', `name one of ${CACHES.map(({ key }) => key.slice(key.lastIndexOf('.') + 1)).join(', ')}`],
  ['storage.ipfs', 'name Kubos by router.nodes, or a cache; without either, leave it out: Disco is an IPFS node itself'],
]

/** Of all sources together: the environment may say what a file leaves open. */
function emptyGroups(origins: Origins): ConfigProblem[] {
  const empty = GROUPS.flatMap(([key, missing]) => {
    const where = origins.group(key)
    const isSaid = optionNames().some((name) => OPTIONS[name].yaml.startsWith(`${key}.`) && origins.option(name) !== undefined)
    return where === undefined || isSaid ? [] : [{ key, where, reason: `${key} has nothing below it: ${missing}` }]
  })
  return empty.filter(({ key }) => !empty.some((other) => other.key.startsWith(`${key}.`))).map(({ where, reason }) => ({ where, reason }))
}

function kuboProblems({ kubo }: Config, origins: Origins): ConfigProblem[] {
  const where = origins.option('kubo') ?? 'kubo'
  const both = kubo.some(({ url, token }) => token !== undefined && new URL(url).username !== '')
  const places = kubo.map(({ url }) => `${new URL(url).host}${new URL(url).pathname}`)
  const twice = places.find((place, index) => places.indexOf(place) !== index)
  return [
    ...(both ? [{ where, reason: 'has a node with a user in its URL and a token: Kubo takes one of them' }] : []),
    ...(twice === undefined ? [] : [{ where, reason: `has ${twice} twice` }]),
  ]
}
