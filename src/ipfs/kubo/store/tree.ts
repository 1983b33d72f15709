import type { CID } from 'multiformats/cid'

/** What is in MFS: Distribution's tree, where the original has it. Everything else is local. */
export const TREE = 'docker/registry/v2'
export const REPOSITORIES: string = `${TREE}/repositories`

const DEPTH: number = TREE.split('/').length

/** The repository that is named by an image's CID. */
export function repositoryOf(image: CID): string {
  return `${REPOSITORIES}/${image}`
}

/** Whether an object is in MFS. */
export function isShared(path: string): boolean {
  return path.startsWith(`${TREE}/`)
}

/** Whether what is in MFS is below a path, or is it. */
export function holdsTree(path: string): boolean {
  return path === '' || path === TREE || TREE.startsWith(`${path}/`)
}

/** What one node has as a whole: a repository's first segment, or the directory of a blob. */
export function unitOf(path: string): string {
  const segments = path.split('/')
  return segments.slice(0, DEPTH + (segments[DEPTH] === 'blobs' ? 4 : 2)).join('/')
}

/** Whether a directory goes when nothing is in it any more. Those above would have to be read as a whole, and are found empty by who lists them. */
export function isPruned(directory: string): boolean {
  return directory.split('/').length >= DEPTH + 2
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Whether one of them is the other, or below it. */
export function touch(one: string, other: string): boolean {
  return isAt(one, other) || isAt(other, one)
}

/** Whether `path` is `above`, or below it, as everything is below ''. */
export function isAt(path: string, above: string): boolean {
  return above === '' || path === above || path.startsWith(`${above}/`)
}
