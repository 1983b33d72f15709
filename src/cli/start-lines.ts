import { cachePlace, placeName, plainPlace, type Place } from '../assembly/place.ts'
import type { Config } from '../config/options.ts'
import { sendsToBucket } from '../config/storage-rules.ts'
import type { NodeInfo, OuterNode } from '../ipfs/node.ts'

/** What is told about the node, or the nodes, before the registry answers: data directory, storage, network, peer ids, addresses. */
export function nodeLines(config: Config, info: NodeInfo | undefined, others: readonly OuterNode[]): string {
  const { data, network, processes, cacheOnly } = config
  const [place, cache] = [plainPlace(config), cachePlace(config)]
  const sent = (images: Place): string => ('bucket' in images && sendsToBucket(config) ? ', where clients get blobs themselves' : '')
  return [
    `data       ${data}`,
    ...(place === undefined ? [] : [`images     ${placeText(place)}${sent(place)}`]),
    ...(cache === undefined || cacheOnly ? [] : [`cache      ${placeText(cache)}${sent(cache)}${config.replicas ? ', of all replicas' : ''}`]),
    // What opens it may stand in its query.
    ...(typeof config.redirect === 'string' && !config.redirectDisabled ? [`blobs      ${config.redirect.replace(/\?.*$/s, '')}`] : []),
    ...(others.length > 0 ? others.map(nodeLine) : [`network    ${cacheOnly ? 'none: there is no IPFS' : network}`]),
    ...(processes > 1 ? [`processes  ${processes}`] : []),
    ...(info === undefined ? [] : [`peer id    ${info.peerId}`, ...info.addresses.map((address) => `ipfs       ${address}`)]),
  ].join('\n')
}

function placeText(place: Place): string {
  return place.driver === 'inmemory' ? 'in memory: gone when it ends' : placeName(place)
}

function nodeLine({ name, version, peerId, failure }: OuterNode): string {
  return `kubo       ${name} ${failure === undefined ? `${version} ${peerId}` : `is down: ${failure}`}`
}

/** The last line: from here on it answers. */
export function addressLine(address: string): string {
  return `registry   ${address}`
}
