import type { Config } from '../config/options.ts'
import type { NodeInfo } from '../ipfs/node.ts'

/** What is told about the node before the registry answers: data directory, storage, network, peer id, addresses. */
export function nodeLines({ data, network, processes, storageFilesystem, storageInmemory }: Config, info: NodeInfo | undefined): string {
  return [
    `data       ${data}`,
    ...(storageFilesystem === undefined ? [] : [`images     ${storageFilesystem}`]),
    ...(storageInmemory ? ['images     in memory: gone when it ends'] : []),
    `network    ${network}`,
    ...(processes > 1 ? [`processes  ${processes}`] : []),
    ...(info === undefined ? [] : [`peer id    ${info.peerId}`, ...info.addresses.map((address) => `ipfs       ${address}`)]),
  ].join('\n')
}

/** The last line: from here on it answers. */
export function addressLine(address: string): string {
  return `registry   ${address}`
}
