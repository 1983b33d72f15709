import type { OptionName } from './options.ts'
import type { ConfigProblem } from './problem.ts'

/** What one source says about one option, not read yet. */
export interface Setting {
  readonly texts: readonly string[]
  /** `--port`, `DISCO_PORT`, `config.yaml:3:5`. */
  readonly where: string
}

/** What one source (the command line, the environment, a file) says. */
export interface Settings {
  readonly values: Map<OptionName, Setting>
  readonly problems: ConfigProblem[]
  readonly warnings: string[]
}

export function noSettings(): Settings {
  return { values: new Map(), problems: [], warnings: [] }
}

/** Distribution's `http.addr`: `host:port`, `[host]:port` or `:port`. What the source says of host and port itself counts more. */
export function addAddress({ values, problems }: Settings, text: string, where: string): void {
  const [, bracketed, plain, port = ''] = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(text) ?? []
  if (port === '') {
    problems.push({ where, reason: `'${text}' is not an address like :1970 or 127.0.0.1:1970` })
    return
  }
  const host = bracketed ?? plain ?? ''
  if (host !== '' && !values.has('host')) values.set('host', { texts: [host], where })
  if (!values.has('port')) values.set('port', { texts: [port], where })
}
