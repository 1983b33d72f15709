import { stripVTControlCharacters } from 'node:util'

interface Line {
  readonly level: number
  readonly time: number
  readonly name?: string
  readonly msg?: string
  readonly err?: { readonly message?: string; readonly stack?: string }
  readonly [field: string]: unknown
}

const LEVELS: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info ', 40: 'warn ', 50: 'error' }

/** Turns each line of JSON into one that is read more easily: `12:00:01 info  http request method=PUT status=201`. */
export function writeForPeople(out: { write(text: string): unknown }): { write(line: string): void } {
  return {
    write(line) {
      out.write(`${formatLine(JSON.parse(line) as Line)}\n`)
    },
  }
}

function formatLine({ level, time, name, msg, err, ...fields }: Line): string {
  const at = new Date(time).toTimeString().slice(0, 8)
  const rest = Object.entries(fields).map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  const text = [at, LEVELS[level] ?? String(level), name, msg, ...rest].filter((part) => part !== undefined).join(' ')
  // what a client sent must not steer the terminal
  const safe = stripVTControlCharacters(text)
  return err === undefined ? safe : `${safe}\n  ${err.stack ?? err.message ?? ''}`
}
