import { createRequire } from 'node:module'

/** A configuration needs a package that Disco does not bring along. */
export class PackageMissingError extends Error {
  override readonly name = 'PackageMissingError'
}

/** Gives what a package exports. @throws PackageMissingError */
export type LoadPackage = (name: string) => unknown

const require = createRequire(import.meta.url)

/**
 * Loads a package that is installed by who needs it: beside Disco, above it, or where `NODE_PATH` says, as Node looks for
 * what is required.
 */
export const optionalPackage: LoadPackage = (name) => {
  try {
    return require(name) as unknown
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    // What it needs itself may be missing as well, which another message says.
    if (code !== 'MODULE_NOT_FOUND' || !message.startsWith(`Cannot find module '${name}'`)) throw error
    throw new PackageMissingError(`needs ${name}: npm install ${name}`, { cause: error })
  }
}
