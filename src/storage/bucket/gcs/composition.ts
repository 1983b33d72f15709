import { randomBytes } from 'node:crypto'
import type { AbortOptions } from '../../object-store.ts'
import { inParallel } from '../../parallel.ts'
import type { Piece } from '../bucket.ts'
import type { GcsBucket } from './bucket.ts'

/** Objects that one may be composed of at a time: Google's limit. */
const MOST = 32
/** Requests at a time. */
const AT_ONCE = 8

/** Composes groups of pieces, and groups of those; what is only on the way lies among the pieces, and goes. */
export async function compose(bucket: GcsBucket, pieces: readonly Piece[], to: string, { signal }: AbortOptions): Promise<string> {
  const [first] = pieces
  if (first === undefined) return bucket.put(to, new Uint8Array(), { signal })
  const between: string[] = []
  let parts = pieces.map(({ path }) => path)
  try {
    while (parts.length > MOST) {
      const groups = Array.from({ length: Math.ceil(parts.length / MOST) }, (_, index) => parts.slice(index * MOST, (index + 1) * MOST))
      parts = await inParallel(groups, AT_ONCE, async (group) => {
        const name = `${first.path}-${randomBytes(6).toString('hex')}`
        between.push(name)
        await bucket.combine(group, name, { signal })
        return name
      })
    }
    return await bucket.combine(parts, to, { signal })
  } finally {
    // What stays goes with the upload, or is swept away.
    await bucket.delete(between).catch(() => {})
  }
}
