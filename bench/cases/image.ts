import { runClient } from '../client.ts'
import type { ImageReference } from '../jobs.ts'
import { AUTHORIZATION } from '../login.ts'
import type { Peer } from '../peers.ts'
import type { Server } from '../server.ts'

/** Pushes an image before the clock starts; returns the name to pull it by, which on Disco is its CID. */
export async function provideImage(peer: Peer, { port }: Server, layers: readonly number[]): Promise<ImageReference> {
  const { digests } = await runClient<'push'>({ kind: 'push', port, images: [{ name: 'bench', tag: 'latest', layers }] })
  return peer.global ? { name: await cidOf(port, digests[0] ?? ''), reference: 'latest' } : { name: 'bench', reference: 'latest' }
}

/** The image's CID. @throws Error when the image is not global */
export async function cidOf(port: number, digest: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/v2/${digest.slice('sha256:'.length)}/tags/list`, { headers: { Authorization: AUTHORIZATION } })
  const { tags } = (await response.json()) as { tags?: string[] }
  const cid = tags?.find((tag) => tag.startsWith('bafy'))
  if (cid === undefined) throw new Error(`${digest} has no CID: ${response.status}`)
  return cid
}

/** Pulls once and checks every byte, so that all registries read from the page cache when it counts. */
export async function warm({ port }: Server, image: ImageReference): Promise<void> {
  await runClient<'pull'>({ kind: 'pull', port, image, streams: 1, times: 1, verify: true })
}
