import { readFile, readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { Kubo } from './kubo.ts'

/** What files hold, by their path. */
export type Files = ReadonlyMap<string, Buffer>

export async function filesBelow(directory: string): Promise<Files> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return new Map(await Promise.all(paths.map(async (path) => [relative(directory, path), await readFile(path)] as const)))
}

/** The files below a directory of a node's MFS. @param scratch a directory that is not there yet */
export async function filesInMfs(kubo: Kubo, path: string, scratch: string): Promise<Files> {
  await kubo.ipfs('get', '-o', scratch, `/ipfs/${await kubo.ipfs('files', 'stat', '--hash', path)}`)
  return filesBelow(scratch)
}
