#!/usr/bin/env -S node --max-semi-space-size=4 --initial-old-space-size=128
import { fail } from './failure.ts'

/** Reads, writes, syncs and hashing of many requests wait for threads; Node's default of 4 counts from their first use. */
process.env['UV_THREADPOOL_SIZE'] ??= '16'

const [first = 'serve', ...rest] = process.argv.slice(2)
const options = first.startsWith('-') ? [first, ...rest] : rest
const command = first.startsWith('-') ? 'serve' : first

try {
  if (first === 'help' || options.some((option) => option === '--help' || option === '-h')) {
    console.log((await import('./help.ts')).helpText())
  } else if (first === '--version' || first === '-v') {
    console.log((await import('./version.ts')).version())
  } else if (command === 'serve') {
    await (await import('./serve.ts')).serve(options)
  } else if (command === 'images') {
    await (await import('./images.ts')).images(options)
  } else if (command === 'cid') {
    await (await import('./cid.ts')).cid(options)
  } else {
    throw new Error(`${command} is not a command: disco --help lists them`)
  }
} catch (error) {
  fail(error)
}
