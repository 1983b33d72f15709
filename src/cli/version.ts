import { readFileSync } from 'node:fs'

/** As package.json has it: two directories up from here, in `src` and in `dist` alike. */
export function version(): string {
  const { version: text } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  return text
}
