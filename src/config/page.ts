import { registryVariable } from './environment.ts'
import { IGNORED_KEYS, REFUSED_KEYS } from './keys.ts'
import type { FieldDoc } from './kinds.ts'
import { OPTIONS, optionNames, type Config, type OptionName } from './options.ts'
import type { Option } from './options/option.ts'
import { EXAMPLE } from './page-example.ts'
import { valueText } from './structures.ts'

const SECTIONS: readonly { readonly title: string; readonly of: (key: string) => boolean }[] = [
  { title: 'The registry and its node', of: (key) => key.startsWith('disco.') && !/^disco\.(?:limits|anonymouspull|telemetry|trustedproxies)/.test(key) },
  { title: 'HTTP and TLS', of: (key) => (key.startsWith('http.') && !key.startsWith('http.debug')) || key === 'disco.trustedproxies' },
  { title: 'Who may', of: (key) => key.startsWith('auth.') || key === 'access' || key === 'disco.anonymouspull' },
  { title: 'Storage and what is taken', of: (key) => /^(?:storage|validation|catalog)\./.test(key) },
  { title: 'Limits', of: (key) => key.startsWith('disco.limits') },
  { title: 'Logs, metrics, traces and health', of: (key) => /^(?:log|health|http\.debug|disco\.telemetry)\./.test(key) },
  { title: 'Notifications', of: (key) => key.startsWith('notifications.') },
]

/** docs/configuration.md, from the option table; a test holds the file against it. */
export function configurationPage(): string {
  const titles = [...SECTIONS.map(({ title }) => title), 'A whole file', 'The environment', 'Files of Distribution and of the original Disco']
  return `# Configuration

<!-- Written by scripts/write-docs.ts from src/config/options/. -->

A value comes from the command line, else from the environment, else from the YAML file, else it is the default.
The file is the one that \`--config\` or \`REGISTRY_CONFIGURATION_PATH\` names, else \`~/.disco/config.yaml\` if there is one.
Everything that is wrong in any of them is told at once, with its place, and Disco does not start.
\`disco config\` prints what is in force and where each value comes from.

${titles.map((title) => `- [${title}](#${anchor(title)})`).join('\n')}

Durations are written like \`500ms\`, \`10s\`, \`1h30m\`, sizes like \`10MB\` or \`4GiB\`, paths with \`~\` for the home directory.

${SECTIONS.map(({ title, of }) => `## ${title}\n\n${optionNames().filter((name) => of(OPTIONS[name].yaml)).map(section).join('\n\n')}`).join('\n\n')}

## A whole file

\`\`\`yaml
${EXAMPLE.trim()}
\`\`\`

## The environment

Every key can be set by Distribution's rule, whether this page names the variable or not: \`log.level\` is \`${registryVariable('log.level')}\`.
A list of values is separated by commas or written as YAML; what has keys in it, and a whole group of keys, is YAML:

| Variable | Value | |
|---|---|---|
| \`REGISTRY_NOTIFICATIONS_ENDPOINTS\` | \`[{name: ci, url: "https://ci.example.com/hook"}]\` | all of a list |
| \`REGISTRY_NOTIFICATIONS_ENDPOINTS_0_TIMEOUT\` | \`5s\` | one key of the first in it, or of the next after the last |
| \`REGISTRY_HTTP_TLS_CLIENTCAS_0\` | \`/etc/disco/ca.pem\` | the first of a list of values |
| \`REGISTRY_HTTP_HEADERS_X-Frame-Options\` | \`[DENY]\` | one key of a map (a shell can't set this one; Docker, Kubernetes and \`env\` can) |
| \`REGISTRY_STORAGE\` | \`inmemory\` | in place of all that the file says below \`storage\` |

What begins with \`DISCO_\` and is no variable of this page is an error, but for \`DISCO_TEST_…\` (the tests'), and for what
Kubernetes sets beside a service called \`disco\` (\`DISCO_SERVICE_HOST\`, \`DISCO_PORT=tcp://…\`). An unknown \`REGISTRY_…\`
is left out with a warning, but for those below \`auth\`, \`access\`, \`storage\` and \`http.tls\`: an error, because a registry
that starts open where it was to be closed is worse than one that does not start.

## Files of Distribution and of the original Disco

They are taken as they are. \`http.addr\` (\`host:port\`) is read for \`disco.host\` and \`disco.port\`, \`loglevel\` for
\`log.level\`, \`validation.disabled\` for \`validation.manifests.indexes.platforms: none\`, and \`storage: inmemory\` for
\`storage.inmemory: {}\`. A bare number is nanoseconds in durations of Distribution's keys, as there. An unknown key is an error.

These keys mean nothing here, and are left out with a warning:

${keyList(IGNORED_KEYS)}

With these, Disco would store elsewhere or serve others than its operator wants: it does not start with them.

${keyList(REFUSED_KEYS)}
`
}

function section(name: OptionName): string {
  const { flag, env, yaml, kind, doc } = OPTIONS[name]
  const usage = kind.placeholder === '' ? '<true|false>' : kind.placeholder
  const places = [
    ...(flag === undefined ? [] : [`flag \`--${flag}\`${kind.many ? ', several times' : ''}`]),
    `environment ${env === undefined ? '' : `\`${env}\` or `}\`${registryVariable(yaml)}\``,
  ]
  const kindText = kind.structure === undefined || kind.many ? `${kind.many ? ' list of' : ''} \`${usage}\`` : ` ${usage.replace(/keys$/, 'what is in this table').replace(/<.*>/, '`$&`')}`
  return `### \`${yaml}\`

${doc}

Value${kindText}, default ${codeOf(defaultText(name))}; ${places.join(', ')}.${table(kind.structure ?? [])}`
}

function table(fields: readonly FieldDoc[]): string {
  if (fields.length === 0) return ''
  const rows = fields.map(({ key, kind, default: value, doc }) =>
    `| \`${key}\` | \`${kind.replaceAll('|', '\\|')}\` | ${value === undefined ? 'must be given' : codeOf(value)} | ${doc} |`)
  return `\n\n| Key | Value | Default | |\n|---|---|---|---|\n${rows.join('\n')}`
}

function codeOf(value: string): string {
  return /^[\w~/.-]+$/.test(value) && value !== 'none' ? `\`${value}\`` : value
}

function keyList(keys: Readonly<Record<string, string>>): string {
  return Object.entries(keys).map(([key, reason]) => `- \`${key}\`: ${reason}.`).join('\n')
}

function anchor(title: string): string {
  return title.toLowerCase().replaceAll(/[^a-z0-9 -]/g, '').replaceAll(' ', '-')
}

export function defaultText(name: OptionName): string {
  const { default: value, defaultText: written, kind }: Option<Config[OptionName]> = OPTIONS[name]
  return written ?? valueText(value, kind)
}
