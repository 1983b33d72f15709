#!/usr/bin/env node
// The door for a fresh clone: `npm start` and `npm test` on any Node >= 20, with nothing installed yet.
// Plain JavaScript without dependencies, because it runs before there are any.
import { buildLibrary } from './build.mjs'
import { installNode } from './setup/node.mjs'
import { ROOT } from './setup/root.mjs'
import { installPackages } from './setup/packages.mjs'
import { exclusively } from './setup/exclusively.mjs'
import { run } from './setup/run-node.mjs'
import { runChecks } from './checks.mjs'

const [task, ...args] = process.argv.slice(2)

const TASKS = {
  start: async () => run(await ready('production'), ['src/cli/main.ts', ...args]),
  test: async () => runChecks(await ready('development'), args),
  bench: async () => run(await ready('development'), ['bench/main.ts', ...args]),
  docs: async () => run(await ready('production'), ['scripts/write-docs.ts']),
  build,
  prepare: async () => (isWithoutCompiler() ? 0 : build()),
}

function build() {
  return exclusively(() => {
    installPackages('development')
    return buildLibrary()
  })
}

/** `npm ci --omit=dev` in this directory: whoever asks for no compiler gets none. */
function isWithoutCompiler() {
  const { npm_config_omit: omit = '', npm_config_local_prefix: where } = process.env
  return omit.split(/\s+/).includes('dev') && where === ROOT
}

/** With packages and a Node that fit. */
function ready(packages) {
  return exclusively(() => {
    installPackages(packages)
    return installNode()
  })
}

try {
  const work = Object.hasOwn(TASKS, task ?? '') ? TASKS[task] : undefined
  if (work === undefined) throw new Error(`usage: node scripts/run.mjs ${Object.keys(TASKS).join('|')} [arguments]`)
  process.exitCode = await work()
} catch (error) {
  console.error(`disco: ${error.message}`)
  process.exitCode = 1
}
