import type { Kind } from '../kinds.ts'
import { checked, text, textOf } from '../kinds.ts'
import { fields, listOf } from '../structures.ts'
import { isRawMap } from '../raw.ts'
import { kuboUrl } from './addresses.ts'

export interface KuboAddress {
  /** Of its RPC, with its user's name and password where it asks for them. Not to be shown. */
  readonly url: string
  /** For `Authorization: Bearer`. */
  readonly token?: string
}

const url: Kind<string> = {
  ...checked('<url>', kuboUrl),
  read: (raw) => kuboUrl(textOf(raw)),
}

const byKeys = fields<KuboAddress>({
  url: { kind: url, doc: 'Of its RPC: `http://localhost:5001`.' },
  token: { kind: text, default: undefined, doc: 'Where its `API.Authorizations` has a `bearer:…`.' },
})

/** Keys, or the URL alone. */
const kuboNode: Kind<KuboAddress> = {
  ...byKeys,
  read: (raw) => (isRawMap(raw.content) ? byKeys.read(raw) : { url: url.read(raw) }),
  accept: (value) => {
    const { url: given, ...rest } = byKeys.accept(typeof value === 'string' ? { url: value } : value)
    return { url: kuboUrl(given), ...rest }
  },
}

const nodes = listOf(kuboNode)

/** URLs on the command line and in the environment; in the file, and in YAML there, also with what more each has. */
export const kuboNodes: Kind<readonly KuboAddress[]> = { ...nodes, placeholder: '<url>', many: true }
