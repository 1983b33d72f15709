import { spawnSync } from 'node:child_process'

const QUIET = ['--loglevel=error', '--no-audit', '--no-fund', '--no-progress', '--no-update-notifier', '--ignore-scripts', '--no-engine-strict', '--yes']

/** Runs npm; what it says is shown only when it fails. */
export function npm(args, cwd) {
  const [command, ...before] = npmCommand()
  const { status, stdout, stderr, error } = spawnSync(command, [...before, ...args, ...QUIET], {
    cwd,
    env: environment(),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  if (error !== undefined) throw new Error(`npm could not be run: ${error.message}`)
  if (status !== 0) throw new Error(`npm ${args.join(' ')} failed:\n${stdout}${stderr}`)
}

/** The npm that runs this script, else the one on the path. */
function npmCommand() {
  const path = process.env.npm_execpath
  return path !== undefined && path.endsWith('npm-cli.js') ? [process.execPath, path] : ['npm']
}

/** Without what `npm start` sets for this package: it would lead a second npm to the wrong directory. */
function environment() {
  const ours = /^npm_(lifecycle|package|config_(local_prefix|prefix|global|omit|include|loglevel|dry_run|offline_scripts)$)/i
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)))
}
