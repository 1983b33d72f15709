import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { digestOf } from './registry-client.ts'
import type { Kubo } from './kubo.ts'

/** `unixfs-v1-2025`, as `ipfs add` is told it. */
export const PROFILE: readonly string[] = ['-Q', '--cid-version=1', '--raw-leaves', '--chunker=size-1048576', '--max-file-links=1024']

export interface ListedBlob {
  /** Without `sha256:`. */
  readonly digest: string
  readonly cid: string
}

/**
 * Asserts that Kubo's own commands see an image as it is: `ipfs ls` its files, `ipfs get` their bytes, and `ipfs add` of
 * what it got gives every CID again.
 *
 * @param scratch a directory that is not there yet
 * @returns what disco.json lists
 */
export async function assertSameForIpfs(kubo: Kubo, cid: string, digest: string, scratch: string): Promise<readonly ListedBlob[]> {
  const entries = (await kubo.ipfs('ls', cid)).split('\n').map((line) => line.split(/\s+/).at(-1))
  assert.deepEqual(entries, ['_layers/', '_manifests/', 'disco.json'])
  await kubo.ipfs('get', '-o', scratch, cid)
  assert.equal(await kubo.ipfs('add', '-r', ...PROFILE, scratch), cid)
  assert.equal(await readFile(join(scratch, '_manifests/tags/latest/current/link'), 'utf8'), digest)

  const { blobs } = JSON.parse(await readFile(join(scratch, 'disco.json'), 'utf8')) as { blobs: readonly ListedBlob[] }
  assert.equal(`sha256:${blobs[0]?.digest}`, digest)
  for (const [number, blob] of blobs.entries()) {
    const file = `${scratch}-${number}`
    await kubo.ipfs('get', '-o', file, blob.cid)
    assert.equal(digestOf(await readFile(file)), `sha256:${blob.digest}`)
    assert.equal(await kubo.ipfs('add', ...PROFILE, file), blob.cid)
  }
  return blobs
}
