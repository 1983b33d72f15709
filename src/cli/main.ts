#!/usr/bin/env -S node --max-semi-space-size=4 --initial-old-space-size=128
import { parseCommandLine } from './command-line.ts'
import { fail } from './failure.ts'

/** Reads, writes, syncs and hashing of many requests wait for threads; Node's default of 4 counts from their first use. */
process.env['UV_THREADPOOL_SIZE'] ??= '16'

const line = parseCommandLine(process.argv.slice(2))
const asks = (...names: string[]): boolean => line.options.some((option) => names.includes(option))

/** `node:sqlite` as it is used here, and what else older ones lack. `npm start` brings its own Node. */
const OLDEST_NODE = 24

try {
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
    throw new Error(`Disco needs Node ${OLDEST_NODE} or newer, and this is ${process.versions.node}; npm start in its directory brings one`)
  }
  if (line.command === 'help' || asks('--help', '-h')) {
    console.log((await import('./help.ts')).helpText())
  } else if (asks('--version', '-v')) {
    console.log((await import('./version.ts')).version())
  } else if (line.command === 'serve') {
    await (await import('./serve.ts')).serve(line)
  } else if (line.command === 'images') {
    await (await import('./images.ts')).images(line)
  } else if (line.command === 'config') {
    await (await import('./config.ts')).config(line)
  } else if (line.command === 'cid') {
    await (await import('./cid.ts')).cid(line)
  } else {
    throw new Error(`${line.command === '' ? 'nothing' : line.command} is not a command: disco --help lists them`)
  }
} catch (error) {
  fail(error)
}
