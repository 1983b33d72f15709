import type { SpecialKey } from './keys.ts'
import { textOf, toggle } from './kinds.ts'
import { problemsAt } from './problem.ts'
import type { Raw } from './raw.ts'
import type { Settings } from './settings.ts'

/** Keys of Distribution that are no option of the table, but say something of some that are. */
export function readSpecialKey(key: SpecialKey, raw: Raw, settings: Settings): void {
  try {
    READERS[key](raw, settings)
  } catch (error) {
    settings.problems.push(...problemsAt(raw.where, error))
  }
}

const READERS: { readonly [Key in SpecialKey]: (raw: Raw, settings: Settings) => void } = {
  version: (raw) => {
    if (textOf(raw) !== '0.1') throw new Error(`version '${textOf(raw)}' is not 0.1`)
  },
  /** Distribution's older key for `log.level`. */
  loglevel: (raw, { values }) => {
    if (raw.content !== undefined && !values.has('logLevel')) values.set('logLevel', raw)
  },
  'http.addr': readAddress,
  'http.net': (raw) => {
    if (!['', 'tcp'].includes(textOf(raw))) throw new Error(`'${textOf(raw)}' is not supported: Disco listens on TCP`)
  },
  'validation.disabled': ({ where, ...raw }, { values }) => {
    if (toggle.read({ where, ...raw })) values.set('indexPlatforms', { where, content: 'none' })
  },
  /** The older key: `false` is where it begins, and said nothing. */
  'validation.enabled': (raw) => {
    toggle.read(raw)
  },
  'auth.none': () => undefined,
}

/** Distribution's `http.addr`: `host:port`, `[host]:port` or `:port`. What the source says of host and port itself counts more. */
function readAddress(raw: Raw, { values }: Settings): void {
  const text = textOf(raw)
  const [, bracketed, plain, port = ''] = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(text) ?? []
  if (port === '') throw new Error(`'${text}' is not an address like :1970 or 127.0.0.1:1970`)
  const { where } = raw
  const host = bracketed ?? plain ?? ''
  if (host !== '' && !values.has('host')) values.set('host', { where, content: host })
  if (!values.has('port')) values.set('port', { where, content: port })
}
