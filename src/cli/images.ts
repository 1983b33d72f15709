import { listImages, type ImageSummary } from '../global/images.ts'
import type { ImagePin } from '../assembly/reader.ts'
import { JSON_SWITCH, type CommandLine } from './command-line.ts'
import { onStore } from './store-command.ts'
import { formatAge, formatSize } from './units.ts'

/** `disco images`: what is here. */
export async function images(line: CommandLine): Promise<void> {
  const [extra] = line.operands
  if (extra !== undefined) throw new Error(`usage: disco images [--json]; '${extra}' is too much`)
  const json = line.options.includes(JSON_SWITCH)
  await onStore(line, async (store, { pins = () => [] }) => {
    const found: ListedImage[] = []
    for await (const image of listImages(store)) {
      const pinned = pins(image.cid)
      found.push(pinned.length === 0 ? image : { ...image, pins: pinned.map(({ service, state, reason }) => ({ service, state, ...(reason !== undefined && { reason }) })) })
    }
    if (json) console.log(JSON.stringify(found.map((image) => ({ ...image, createdAt: image.createdAt === 0 ? undefined : new Date(image.createdAt).toISOString() })), undefined, 2))
    else if (found.length === 0) console.log('no images yet: docker push localhost:1970/<name>')
    else console.log(table(found))
  })
}

interface ListedImage extends ImageSummary {
  /** At remote pinning services. */
  readonly pins?: readonly ImagePin[]
}

function table(found: readonly ListedImage[]): string {
  const pinned = found.some(({ pins }) => pins !== undefined)
  const rows = found
    .toSorted((a, b) => b.createdAt - a.createdAt)
    .map(({ cid, digest, size, platforms, createdAt, pins = [] }) => [cid, digest.replace(/:(.{12}).*/, ':$1'), formatSize(size), platforms.join(' ') || '-', createdAt === 0 ? '-' : formatAge(Date.now() - createdAt), ...(pinned ? [pins.map(({ service, state }) => `${service}: ${state}`).join(', ')] : [])])
  const all = [['CID', 'DIGEST', 'SIZE', 'PLATFORMS', 'AGE', ...(pinned ? ['PINS'] : [])], ...rows]
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)))
  return all.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()).join('\n')
}
