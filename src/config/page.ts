import { registryVariable } from './environment.ts'
import { OPTIONS, optionNames, type OptionName } from './options.ts'
import { ADDRESS_KEY, LATER_KEYS, REFUSED_KEYS } from './yaml-keys.ts'

/** docs/configuration.md, from the option table; a test holds the file against it. */
export function configurationPage(): string {
  return `# Configuration

<!-- Written by scripts/write-docs.ts from src/config/options.ts. -->

A value comes from the command line, else from the environment, else from the YAML file, else it is the default.
The file is the one that \`--config\` or \`REGISTRY_CONFIGURATION_PATH\` names, else \`~/.disco/config.yaml\` if there is one.
Everything that is wrong in any of them is told at once, with its place, and Disco does not start.

${optionNames().map(section).join('\n\n')}

## The file

\`\`\`yaml
version: 0.1
log:
  level: info
disco:
  port: 1970
  network: private
  peer:
    - http://192.0.2.7:1970
\`\`\`

A file of Distribution or of the original Disco is taken as it is. Beside the keys above, \`${ADDRESS_KEY}\`
(\`host:port\`) is read for \`disco.host\` and \`disco.port\`. An unknown key is an error. These keys are known, not
supported yet, and left out with a warning: ${LATER_KEYS.map((key) => `\`${key}\``).join(', ')}.

These keys keep others out, and Disco can't do that yet: it refuses to start with them, rather than to run open:
${REFUSED_KEYS.map((key) => `\`${key}\``).join(', ')}.

Every key can be set in the environment by Distribution's rule too: \`${registryVariable('log.level')}\` is \`log.level\`.
What begins with \`DISCO_\` and is no variable of this page is an error, but for \`DISCO_TEST_…\` (the tests'), and for what
Kubernetes sets beside a service called \`disco\` (\`DISCO_SERVICE_HOST\`, \`DISCO_PORT=tcp://…\`). An unknown \`REGISTRY_…\`
is left out with a warning.
`
}

function section(name: OptionName): string {
  const { flag, env, yaml, kind, doc } = OPTIONS[name]
  const usage = kind.placeholder === '' ? `--${flag}` : `--${flag} ${kind.placeholder}`
  const many = kind.many ? ' May be given several times; in the environment, separated by commas.' : ''
  return `## \`${usage}\`

${doc}${many}

Environment \`${env}\`, key \`${yaml}\`, default ${defaultText(name)}.`
}

export function defaultText(name: OptionName): string {
  const { default: value, defaultText: written } = OPTIONS[name]
  if (written !== undefined) return written
  return Array.isArray(value) ? 'none' : String(value)
}
