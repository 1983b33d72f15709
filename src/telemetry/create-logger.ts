import { destination, pino } from 'pino'
import type { Logger } from './logger.ts'
import { writeForPeople } from './text-lines.ts'

/** Logs to stderr: a line of text for a person at a terminal, a line of JSON for everything else. */
export function createLogger(level: string): Logger {
  const options = { level, base: null }
  return process.stderr.isTTY ? pino(options, writeForPeople(process.stderr)) : pino(options, destination({ dest: 2, sync: false }))
}

/** For programs that bring none. */
export function silentLogger(): Logger {
  return pino({ enabled: false })
}
