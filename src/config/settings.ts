import type { OptionName } from './options.ts'
import type { ConfigProblem } from './problem.ts'
import type { Raw } from './raw.ts'

/** Replaces what is at `path` inside of an option's value: an item of a list, a key of a map. */
export interface Part {
  readonly path: readonly string[]
  readonly raw: Raw
}

/** What one source (the command line, the environment, a file) says, not read yet. */
export interface Settings {
  readonly values: Map<OptionName, Raw>
  readonly parts: Map<OptionName, Part[]>
  /** Parts that count more than what any source says of an option, where one does. */
  readonly overrides: Map<OptionName, Part[]>
  /** Where each group of keys is named, also with nothing below it. */
  readonly groups: Map<string, string>
  /** Groups that this source sets as a whole: what sources of less weight say below them is gone. */
  readonly replaced: Set<string>
  /** Keys of a file by their places, for messages. */
  readonly keys: Map<string, string>
  readonly problems: ConfigProblem[]
  readonly warnings: string[]
}

export function noSettings(): Settings {
  return { values: new Map(), parts: new Map(), overrides: new Map(), groups: new Map(), replaced: new Set(), keys: new Map(), problems: [], warnings: [] }
}
