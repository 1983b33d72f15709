import type { Kind } from '../kinds.ts'

export interface Option<T> {
  /** Without its dashes. Most of Distribution's keys have none. */
  readonly flag?: string
  /** Beside the one that every key has by Distribution's rule: `REGISTRY_LOG_LEVEL`. */
  readonly env?: string
  /** Path of the key in the YAML file. */
  readonly yaml: string
  readonly kind: Kind<T>
  readonly default: T
  /** How the documentation writes the default, where it is not simply the value. */
  readonly defaultText?: string
  /** Never shown. */
  readonly secret?: true
  readonly doc: string
}

export type OptionTable<T> = { readonly [Name in keyof T]-?: Option<T[Name]> }
