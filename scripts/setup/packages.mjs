import { existsSync, readFileSync, readdirSync, rmSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { npm } from './npm.mjs'
import { ROOT } from './root.mjs'

/** Brings `node_modules` to what the lock file says: `production` for running, `development` for testing too. */
export function installPackages(kind) {
  const locked = packagesIn(join(ROOT, 'package-lock.json'))
  // npm writes it last, so an installation that was cut short has none
  const installed = packagesIn(join(ROOT, 'node_modules', '.package-lock.json'))
  if (isComplete(locked, installed, kind)) return

  const development = kind === 'development' || Object.values(installed).some(({ dev }) => dev)
  console.error('disco: installing packages …')
  npm(['ci', ...(development ? [] : ['--omit=dev'])], ROOT)
  if (!development) prune(join(ROOT, 'node_modules'))
}

function packagesIn(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return {}
    throw error
  }
}

function isComplete(locked, installed, kind) {
  return Object.entries(locked).every(([path, wanted]) => {
    const needed = path !== '' && !wanted.optional && !wanted.peer && !(wanted.dev && kind === 'production')
    // npm's list does not know of what was lost since
    return !needed || (installed[path]?.version === wanted.version && existsSync(join(ROOT, path, 'package.json')))
  })
}

/**
 * Source maps, browser bundles, types and what Amazon's packages have for bundlers are more than half of what the packages
 * weigh, and nothing reads them here.
 */
function prune(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory() && FOR_BUNDLERS.test(path)) rmSync(path, { recursive: true })
    else if (entry.isDirectory()) prune(path)
    else if (entry.isFile() && UNREAD.test(entry.name)) rmSync(path)
  }
  // A directory costs as much room as a small file.
  if (readdirSync(directory).length === 0) rmdirSync(directory)
}

const UNREAD = /\.(map|min\.js|[cm]?ts)$/
const FOR_BUNDLERS = /[\\/]@(?:aws-sdk|smithy|aws)[\\/][^\\/]+[\\/]dist-(?:es|types)$/
