import { cidOfDigest, digestOfTag, digestsBeginning } from '../global/images.ts'
import { cidOf } from '../global/names.ts'
import { formatDigest, parseDigest, type Digest } from '../oci/digest.ts'
import { isRepositoryName, isTag } from '../oci/reference.ts'
import type { ObjectReader } from '../storage/object-store.ts'
import type { CommandLine } from './command-line.ts'
import { onStore } from './store-command.ts'

const USAGE = 'usage: disco cid <digest or name[:tag]>'
/** As short as `disco images` prints it. */
const SHORT_DIGEST = /^(?:sha(?:256|512):)?([0-9a-f]{12,})$/
/** Images that are named when a short digest is that of several. */
const MOST_NAMED = 10
/** A first segment that is a host and no part of the name, by Docker's rule. */
const HOST = /^(?:localhost|[^/]*[.:][^/]*|\[[^\]]*\](?::\d+)?)\//

/** `disco cid <digest|name[:tag]>`: the global name of an image that is here. */
export async function cid(line: CommandLine): Promise<void> {
  const [image, extra] = line.operands
  if (image === undefined || extra !== undefined) throw new Error(USAGE)
  const wanted = parseImage(image)
  if (wanted === undefined) throw new Error(`'${image}' is neither a digest nor the name of an image; ${USAGE}`)
  await onStore(line, async (store) => {
    const digest = await digestOf(store, wanted, image)
    const found = digest === undefined ? undefined : await cidOfDigest(store, digest)
    if (found === undefined) throw new Error(`no image ${image} here${cidOf(image) === undefined ? '' : ', and this is a CID already'}`)
    console.log(found)
  })
}

interface Image {
  readonly digest?: Digest | undefined
  /** The beginning of a digest. */
  readonly hex?: string | undefined
  /** Names that it may have: without what looks like a host, and with it. */
  readonly names: readonly string[]
  readonly tag: string
}

/** Reads `sha256:<hex>`, the hex alone, their beginnings, and `[host/]name[:tag][@digest]`. */
function parseImage(image: string): Image | undefined {
  const digest = parseDigest(image.slice(image.indexOf('@') + 1)) ?? parseDigest(`${image.length === 128 ? 'sha512' : 'sha256'}:${image}`)
  if (digest !== undefined) return { digest, names: [], tag: '' }
  const [, path = image, tag = 'latest'] = /^(.+?)(?::([^/:]+))?$/s.exec(image) ?? []
  const names = [path, path.replace(HOST, '')].filter((name, index, all) => isRepositoryName(name) && all.indexOf(name) === index)
  const hex = SHORT_DIGEST.exec(image)?.[1]
  return hex === undefined && (names.length === 0 || !isTag(tag)) ? undefined : { hex, names, tag }
}

async function digestOf(store: ObjectReader, { digest, hex, names, tag }: Image, image: string): Promise<Digest | undefined> {
  if (digest !== undefined) return digest
  for (const name of names) {
    const tagged = await digestOfTag(store, name, tag)
    if (tagged !== undefined) return tagged
  }
  const [found, ...others] = hex === undefined ? [] : await digestsBeginning(store, hex, MOST_NAMED)
  if (found !== undefined && others.length > 0) {
    throw new Error(`${image} is the beginning of several digests: ${[found, ...others].map(formatDigest).join(', ')}`)
  }
  return found
}
