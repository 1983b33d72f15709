#!/usr/bin/env node
// The door for a fresh clone: `npm start` and `npm test` on any Node >= 20, with nothing installed yet.
// Plain JavaScript without dependencies, because it runs before there are any.
import { installNode } from './setup/node.mjs'
import { installPackages } from './setup/packages.mjs'
import { exclusively } from './setup/exclusively.mjs'
import { run } from './setup/run-node.mjs'
import { runChecks } from './checks.mjs'

const [task, ...args] = process.argv.slice(2)

try {
  if (task === 'start') {
    const node = await exclusively(() => {
      installPackages('production')
      return installNode()
    })
    process.exitCode = await run(node, ['src/cli/main.ts', ...args])
  } else if (task === 'test') {
    const node = await exclusively(() => {
      installPackages('development')
      return installNode()
    })
    process.exitCode = await runChecks(node, args)
  } else if (task === 'bench') {
    const node = await exclusively(() => {
      installPackages('development')
      return installNode()
    })
    process.exitCode = await run(node, ['bench/main.ts', ...args])
  } else {
    throw new Error('usage: node scripts/run.mjs start|test|bench [arguments]')
  }
} catch (error) {
  console.error(`disco: ${error.message}`)
  process.exitCode = 1
}
