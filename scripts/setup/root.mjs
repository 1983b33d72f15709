import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package's own directory, wherever it was called from. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/**
 * Where Node keeps the modules as it has compiled them, without their types: from the second time on a start
 * costs a third less CPU, and a server has 40 MB less. Node takes none that is of another source, or another Node.
 */
const COMPILED = join(ROOT, 'node_modules', '.cache', 'compiled')

/** What our programs are started with. */
export const ENVIRONMENT = { NODE_COMPILE_CACHE: COMPILED, ...process.env }
