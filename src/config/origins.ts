import type { OptionName } from './options.ts'

/** What is known of where the configuration comes from. */
export interface Origins {
  /** Where an option's value stands; undefined for a default. */
  option(name: OptionName): string | undefined
  /** Where a group of keys is named: `auth.htpasswd`; undefined where it is not. */
  group(key: string): string | undefined
}
