import { cidOfDigest, digestOfTag } from '../global/images.ts'
import { cidOf } from '../global/names.ts'
import { parseDigest, type Digest } from '../oci/digest.ts'
import type { ObjectStore } from '../storage/object-store.ts'
import { onStore } from './store-command.ts'

/** `disco cid <digest|name[:tag]>`: the global name of an image that is here. */
export async function cid(args: readonly string[]): Promise<void> {
  await onStore(args, async (store, { positionals }) => {
    const [image] = positionals
    if (image === undefined || positionals.length > 1) throw new Error('usage: disco cid <digest or name[:tag]>')
    const digest = await digestOf(store, image)
    const found = digest === undefined ? undefined : await cidOfDigest(store, digest)
    if (found === undefined) throw new Error(`no image ${image} here${cidOf(image) === undefined ? '' : ', and this is a CID already'}`)
    console.log(found)
  })
}

/** Reads `sha256:<hex>`, the hex alone, `name@digest`, and `name[:tag]`. */
async function digestOf(store: ObjectStore, image: string): Promise<Digest | undefined> {
  const direct = parseDigest(image.slice(image.indexOf('@') + 1)) ?? parseDigest(`${image.length === 128 ? 'sha512' : 'sha256'}:${image}`)
  if (direct !== undefined) return direct
  const [, name = image, tag = 'latest'] = /^(.+?)(?::([^/:]+))?$/.exec(image) ?? []
  return digestOfTag(store, name, tag)
}
