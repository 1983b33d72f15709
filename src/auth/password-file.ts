/** The users of an htpasswd file. */
export interface PasswordFile {
  /** User to bcrypt hash. */
  readonly hashes: ReadonlyMap<string, string>
  /** A hash that no password has, for users that are none: to compare with it takes as long as with the others. */
  readonly dummy: string
  /** What of it can't be used, and why. */
  readonly warnings: readonly string[]
}

const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/
const FORMATS: readonly (readonly [RegExp, string])[] = [
  [/^\$2[aby]\$/, 'a damaged bcrypt hash'],
  [/^\$apr1\$/, 'MD5 (apr1)'],
  [/^\{SHA\}/, 'SHA-1'],
  [/^\$5\$/, 'SHA-256 (crypt)'],
  [/^\$6\$/, 'SHA-512 (crypt)'],
]
const DEFAULT_COST = '10'

/** @throws Error naming the line that has no user, or is beyond the costs of bcrypt */
export function parsePasswordFile(text: string): PasswordFile {
  const hashes = new Map<string, string>()
  const warnings: string[] = []
  const costs: string[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const entry = line.trim()
    if (entry === '' || entry.startsWith('#')) continue
    const colon = entry.indexOf(':')
    if (colon < 1) throw new Error(`line ${index + 1} is not user:hash`)
    const user = entry.slice(0, colon)
    const hash = entry.slice(colon + 1)
    const cost = BCRYPT.exec(hash)?.[1]
    if (cost === undefined) {
      warnings.push(`line ${index + 1}: ${user} has ${formatOf(hash)}, and cannot log in: only bcrypt counts (htpasswd -B)`)
      continue
    }
    if (cost < '04' || cost > '31') throw new Error(`line ${index + 1}: bcrypt has no cost ${cost}`)
    if (hashes.has(user)) warnings.push(`line ${index + 1}: ${user} stands there twice; the last one counts`)
    hashes.set(user, hash)
    costs.push(cost)
  }
  if (hashes.size === 0) warnings.push('nobody can log in: there is no user with a bcrypt hash')
  return { hashes, dummy: `$2b$${mostCommon(costs) ?? DEFAULT_COST}$${'.'.repeat(53)}`, warnings }
}

function formatOf(hash: string): string {
  return FORMATS.find(([pattern]) => pattern.test(hash))?.[1] ?? 'a hash of another kind'
}

function mostCommon(values: readonly string[]): string | undefined {
  const counts = Map.groupBy(values, (value) => value)
  return [...counts].sort(([, a], [, b]) => b.length - a.length)[0]?.[0]
}
