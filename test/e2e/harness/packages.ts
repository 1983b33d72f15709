import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ROOT } from './command.ts'

/** Where the tests have packages of their own: what Disco does not bring along. */
export const PACKAGES: string = join(ROOT, '.tools/packages/node_modules')

/** Loads one of them. */
export const loadPackage: (name: string) => unknown = createRequire(join(PACKAGES, 'x.js'))

/** A Disco finds them as it would find any that are installed elsewhere. */
export const WITH_PACKAGES: Readonly<Record<string, string>> = { NODE_PATH: PACKAGES }
