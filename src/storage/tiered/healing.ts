import type { AbortOptions, ObjectReader } from '../object-store.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { AwayError } from './away.ts'
import type { TierPlaces, Unit } from './places.ts'
import { eachNameIn, namesIn } from './walk.ts'

/** What one store has and the other lacks. */
export type Lost = { readonly unit: Unit } | { readonly name: string } | Parts

/** Some of one name. */
export interface Parts {
  readonly parts: readonly string[]
}

const TOGETHER = 100

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

/** Parts of names that may change which one store has and the other lacks. What a part has in it is not looked at. */
export async function* partsMissingIn(store: ObjectReader, other: ObjectReader, places: TierPlaces, options: AbortOptions = {}): AsyncGenerator<Parts, void, void> {
  let parts: string[] = []
  for await (const path of missingBelow(places.names, store, other, places, options)) {
    const [first] = parts
    if (first !== undefined && (parts.length === TOGETHER || places.nameOf(first) !== places.nameOf(path))) {
      yield { parts }
      parts = []
    }
    parts.push(path)
  }
  if (parts.length > 0) yield { parts }
}

/** @param store undefined: has nothing there */
async function* missingBelow(directory: string, store: ObjectReader | undefined, other: ObjectReader, places: TierPlaces, options: AbortOptions): AsyncGenerator<string, void, void> {
  const ours = store && eachNameIn(store, directory, options)
  let our = await ours?.next()
  for await (const name of eachNameIn(other, directory, options)) {
    const path = `${directory}/${name}`
    while (our?.done === false && our.value < name) our = await ours?.next()
    if (!places.isShared(path) || places.unitOf(path) !== undefined) continue
    const isHere = our?.done === false && our.value === name
    if (!places.isPart(path)) yield* missingBelow(path, isHere ? store : undefined, other, places, options)
    else if (!isHere) yield path
  }
}

/** Brings back all that is lost, one after the other; what can't be had is left out. @returns how much came back */
export async function healAll(lost: AsyncIterable<Lost>, bring: (lost: Lost) => Promise<number>, log: Logger): Promise<number> {
  let count = 0
  for await (const each of lost) {
    try {
      count += await bring(each)
    } catch (err) {
      if (err instanceof AwayError) throw err
      log.warn({ err, path: pathOf(each) }, 'what one of two stores has lost could not be brought back')
    }
  }
  return count
}

function pathOf(lost: Lost): string | undefined {
  if ('unit' in lost) return lost.unit.path
  return 'name' in lost ? lost.name : lost.parts[0]
}
