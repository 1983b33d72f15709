import assert from 'node:assert/strict'
import type { CID } from 'multiformats/cid'
import type { FileFetch, WantedFile } from '../../../src/ipfs/node.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { blobPath, type KuboSide } from './network-scene.ts'

/** Pinned from the beginning. */
export const EMPTY_DIRECTORY: string = 'QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn'

export function wantedOf(cid: CID, content: Uint8Array): WantedFile {
  const digest = digestOf(content)
  return { cid, digest, size: content.length, path: blobPath(digest.hex) }
}

export async function commit({ store }: KuboSide, { path, digest }: WantedFile, file: FileFetch): Promise<void> {
  const { upload } = await file.done
  if (upload !== undefined) await store.commit({ uploads: [{ id: upload, path, digest }] })
}

/** Every block of it is at a node. */
export async function assertWhole({ nodes }: KuboSide, cid: CID): Promise<void> {
  const whole = await Promise.all(nodes.all.map((node) =>
    node.rpc.bytes('dag/stat', { arg: cid.toString(), offline: true, progress: false }).then(() => true, () => false)))
  assert.ok(whole.includes(true), `${cid} is whole nowhere`)
}

export async function assertNothingHeld({ kubos, nodes, uploads }: KuboSide): Promise<void> {
  for (const kubo of kubos) assert.equal(await kubo.ipfs('pin', 'ls', '--type=recursive', '-q'), EMPTY_DIRECTORY)
  for (const node of nodes.all) {
    for (const { name } of await node.list('/disco/staged') ?? []) assert.deepEqual((await node.list(`/disco/staged/${name}`))?.map((entry) => entry.name), [])
  }
  assert.deepEqual(await uploads.list(), [])
}

export async function* each<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items
}
