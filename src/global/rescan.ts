import type { CID } from 'multiformats/cid'
import type { DagIndex, ProvideQueue } from '../ipfs/node.ts'
import { blobData, inRepository, repository, within } from '../registry/paths.ts'
import type { AbortOptions, ObjectStore } from '../storage/object-store.ts'
import type { Logger } from '../telemetry/logger.ts'
import { isHere } from './clone-flight.ts'
import { readDiscoFile } from './disco-file.ts'
import { globalNames } from './images.ts'

export interface RescanParts {
  readonly store: ObjectStore
  readonly index: DagIndex
  readonly provides: ProvideQueue
  /** Images that can't be laid out, which are not looked at; those that are found to be so come to it. @default none */
  readonly hopeless?: Set<string>
  readonly log: Logger
}

/**
 * Gives the images of a store their blocks again where the index, which is kept apart from it, lacks them: it is new, or
 * was deleted, or the store is another's work. What a clone brought in another layout than that of the profile can't be
 * told from its bytes: it stays an image that can be pulled here, and its blocks are for others to give.
 *
 * @returns how many were laid out
 */
export async function rescan(parts: RescanParts, options: AbortOptions = {}): Promise<number> {
  const { store, index, hopeless = new Set(), log } = parts
  let found = 0
  for await (const cid of globalNames(store, options)) {
    const name = cid.toString()
    if (hopeless.has(name) || (await index.blocks.has(cid, options))) continue
    try {
      // It may be on its way in, by another machine.
      if (!(await isHere(store, name, options))) continue
      if (await layOut(cid, parts, options)) {
        found++
        continue
      }
      hopeless.add(name)
      log.info({ cid: name }, 'the blocks of an image are laid out as nobody can tell any more: it is not served to peers')
    } catch (err) {
      options.signal?.throwIfAborted()
      log.warn({ cid: name, err }, 'the blocks of an image could not be indexed')
    }
  }
  return found
}

async function layOut(cid: CID, { store, index, provides }: RescanParts, options: AbortOptions): Promise<boolean> {
  const name = cid.toString()
  const file = await store.get(inRepository(name, within.discoFile), options)
  if (file === undefined) return false
  const entries = readDiscoFile(file)
  for (const entry of entries) {
    if (!(await index.file(blobData(entry.digest), options)).equals(entry.cid)) return false
  }
  const tree = new Map<string, Uint8Array>()
  await readTree(store, repository(name), '', tree, options)
  if (!(await index.addTree(tree, options)).equals(cid)) return false
  await provides.provide([cid, ...entries.map((entry) => entry.cid)], options)
  return true
}

async function readTree(store: ObjectStore, root: string, below: string, tree: Map<string, Uint8Array>, options: AbortOptions): Promise<void> {
  const directory = below === '' ? root : `${root}/${below}`
  let after: string | undefined
  do {
    const names: string[] = await store.list(directory, { ...options, after })
    for (const name of names) {
      const path = below === '' ? name : `${below}/${name}`
      const data = await store.get(`${root}/${path}`, options)
      if (data === undefined) await readTree(store, root, path, tree, options)
      else tree.set(path, data)
    }
    after = names.at(-1)
  } while (after !== undefined)
}
