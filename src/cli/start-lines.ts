import { bucketName, bucketOf } from '../assembly/bucket.ts'
import type { Config } from '../config/options.ts'
import type { NodeInfo, OuterNode } from '../ipfs/node.ts'

/** What is told about the node, or the nodes, before the registry answers: data directory, storage, network, peer ids, addresses. */
export function nodeLines(config: Config, info: NodeInfo | undefined, others: readonly OuterNode[]): string {
  const { data, network, processes, storageFilesystem, storageInmemory, redirectDisabled } = config
  const bucket = bucketOf(config)
  return [
    `data       ${data}`,
    ...(storageFilesystem === undefined ? [] : [`images     ${storageFilesystem}`]),
    ...(bucket === undefined ? [] : [`images     ${bucketName(bucket)}${redirectDisabled ? '' : ', where clients get blobs themselves'}`]),
    ...(storageInmemory ? ['images     in memory: gone when it ends'] : []),
    ...(others.length > 0 ? others.map(nodeLine) : [`network    ${network}`]),
    ...(processes > 1 ? [`processes  ${processes}`] : []),
    ...(info === undefined ? [] : [`peer id    ${info.peerId}`, ...info.addresses.map((address) => `ipfs       ${address}`)]),
  ].join('\n')
}

function nodeLine({ name, version, peerId, failure }: OuterNode): string {
  return `kubo       ${name} ${failure === undefined ? `${version} ${peerId}` : `is down: ${failure}`}`
}

/** The last line: from here on it answers. */
export function addressLine(address: string): string {
  return `registry   ${address}`
}
