import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT, run } from './command.ts'
import type { Kubo } from './kubo.ts'

const FIXTURES = join(ROOT, 'test/fixtures/go-disco')

/** The image that the original Disco was given, see the fixtures' README. */
export const TINY = {
  digest: 'sha256:05c06b23ff35f8fb0bbac800a4e0ed360d83d73ec24e97cb1d42466618b9c5f8',
  /** Its name with Kubo, one node or two. */
  cid: 'bafybeieq3whadirvwzn6blqncqnvr56hdw5bloa3oajtrcrzynctzerrqy',
  /** Its name with `cacheonly`. */
  cacheOnlyCid: 'bafybeiafybvsh7zv7d5qxowiacsob3jwbwb5opwcj2l4whkciztbroof7a',
} as const

/** Files of one node's MFS, and what its `/docker` was. */
const TREES = {
  'one-node': 'QmPbDAh4sbFygAJhR5KSWMec2FZFUuAF7bgK14HrRgmZti',
  'two-nodes-0': 'QmddvSgciwrG8NN99kWmHbX8PSfULkv7gyuBnrhwT4njMG',
  'two-nodes-1': 'QmawfEb7qJpKLmzGn2xyenJxrxw3YTGxhfAS5ZkxASDLxF',
} as const

export type GoDiscoTree = keyof typeof TREES

/** Puts what the original Disco left in a node's MFS into a real Kubo. */
export async function restoreTree(kubo: Kubo, tree: GoDiscoTree): Promise<void> {
  await kubo.ipfs('dag', 'import', '--pin-roots=false', join(FIXTURES, `${tree}.car`))
  await kubo.ipfs('files', 'cp', `/ipfs/${TREES[tree]}`, '/docker')
}

/** Unpacks the directory of the original's cache, or that of one without any node; gives its `rootdirectory`. */
export async function unpackCache(archive: 'one-node-cache' | 'cacheonly', into: string): Promise<string> {
  await mkdir(into, { recursive: true })
  await run('tar', ['-xzf', join(FIXTURES, `${archive}.tar.gz`), '-C', into])
  return into
}

/** The image as an OCI layout without a tag; gives its directory. */
export async function unpackTiny(into: string): Promise<string> {
  await mkdir(into, { recursive: true })
  await run('tar', ['-xf', join(FIXTURES, 'image.tar'), '-C', into])
  return into
}
