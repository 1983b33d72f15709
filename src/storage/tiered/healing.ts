import type { AbortOptions, ObjectReader } from '../object-store.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { AwayError } from './away.ts'
import type { TierPlaces, Unit } from './places.ts'
import { namesIn } from './walk.ts'

/** What one store has and the other lacks. */
export type Lost = { readonly unit: Unit } | { readonly name: string }

/** Whole units and whole names that one store has and the other lacks; looks into no unit. */
export async function* lostIn(store: ObjectReader, other: ObjectReader, places: TierPlaces, options: AbortOptions = {}): AsyncGenerator<Lost, void, void> {
  const directories = [places.root]
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    const [theirs, ours] = await Promise.all([namesIn(other, directory, options), namesIn(store, directory, options)])
    const have = new Set(ours)
    let inside = false
    for (const name of theirs) {
      options.signal?.throwIfAborted()
      const path = directory === '' ? name : `${directory}/${name}`
      const unit = places.unitOf(path)
      if (unit !== undefined) {
        if (!have.has(name)) yield { unit }
      } else if (places.nameOf(path) === directory) inside = true
      else if (places.isShared(path)) directories.push(path)
    }
    if (inside && !ours.some((name) => places.nameOf(`${directory}/${name}`) === directory)) yield { name: directory }
  }
}

/** Brings back all that is lost, one after the other; what can't be had is left out. @returns how much came back */
export async function healAll(lost: AsyncIterable<Lost>, bring: (lost: Lost) => Promise<boolean>, log: Logger): Promise<number> {
  let count = 0
  for await (const each of lost) {
    try {
      if (await bring(each)) count++
    } catch (err) {
      if (err instanceof AwayError) throw err
      log.warn({ err, path: 'unit' in each ? each.unit.path : each.name }, 'what one of two stores has lost could not be brought back')
    }
  }
  return count
}
