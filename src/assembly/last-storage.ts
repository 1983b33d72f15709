import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/options.ts'
import { withoutUser } from '../oci/url-user.ts'
import { cachePlace, placeName, plainPlace } from './place.ts'

/** Where the images of a data directory are, where that is not the directory itself. Of no use to who wants in. */
interface Note {
  /** For who has to name it again. */
  readonly name: string
  /** All that is needed to look into it; undefined where that is more than may stand here, or in no option. */
  readonly options?: Pick<Config, 'kubo'> | Pick<Config, 'storageFilesystem'> | undefined
}

const FILE = 'storage.json'

/** Has the data directory know where its images are, for commands that are not told. Those in memory are nowhere afterwards. */
export function noteStorage(config: Config): void {
  if (plainPlace(config)?.driver === 'inmemory') return
  const file = join(config.data, FILE)
  const note = noteOf(config)
  const text = note && `${JSON.stringify(note)}\n`
  if (text === textOf(file)) return
  // A courtesy: on a full disk the registry still serves.
  try {
    if (text === undefined) rmSync(file, { force: true })
    else writeFileSync(file, text, { mode: 0o600 })
  } catch {}
}

/**
 * The options with which a data directory was served last; none where its images are in it.
 *
 * @throws Error that names what has to be named again
 */
export function lastStorage(data: string): Partial<Config> {
  const note = readNote(textOf(join(data, FILE)))
  if (note === undefined) return {}
  if (note.options === undefined) throw new Error(`the data directory ${data} was used with ${note.name}`)
  return note.options
}

function noteOf(config: Config): Note | undefined {
  const { kubo } = config
  const place = config.replicas ? cachePlace(config) : plainPlace(config)
  if (place?.driver === 'filesystem') return { name: place.root, options: { storageFilesystem: place.root } }
  if (place !== undefined) return { name: `the ${placeName(place)}: name it by --config` }
  if (kubo.length === 0) return undefined
  const bare = kubo.map(({ url, token }) => ({ ...withoutUser(url), token }))
  const urls = bare.map(({ url }) => url.href.replace(/\/$/, ''))
  const isOpen = bare.every(({ authorization, token }) => (authorization ?? token) === undefined)
  return { name: `Kubo at ${urls.join(', ')}, which asks for a login: name it by --kubo or --config`, ...(isOpen && { options: { kubo: urls.map((url) => ({ url })) } }) }
}

function readNote(text: string | undefined): Note | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Note)
  } catch {
    // cut off
    return undefined
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
