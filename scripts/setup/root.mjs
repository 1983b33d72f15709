import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package's own directory, wherever it was called from. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
