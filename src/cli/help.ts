import { registryVariable } from '../config/environment.ts'
import { OPTIONS, optionNames } from '../config/options.ts'
import { defaultText } from '../config/page.ts'

const COMMANDS = `Disco: an OCI registry whose images live on IPFS.

Usage:
  disco [serve] [options]       serve the registry (the default)
  disco images [--json]         the images that are here
  disco cid <digest|name[:tag]> the CID of an image
  disco config [--json]         the configuration in force, and where each value comes from
  disco --version
  disco --help

Options of serve and config. images and cid take those that say where images are: --data,
--kubo, --config; a data directory knows of itself where it was served from last. The configuration
file knows more: TLS, logins, rules, limits, storage, logs, notifications; see docs/configuration.md.`

export function helpText(): string {
  const lines = optionNames().flatMap((name) => {
    const { flag, env, yaml, kind, doc } = OPTIONS[name]
    if (flag === undefined) return []
    const usage = kind.placeholder === '' ? `--${flag}` : `--${flag} ${kind.placeholder}`
    return [`  ${usage}\n${wrap(`${plain(doc)} [${env ?? registryVariable(yaml)}, default ${defaultText(name)}]`, 6)}`]
  })
  return [COMMANDS, '  --config <path>\n      YAML file with more of them. [REGISTRY_CONFIGURATION_PATH, default ~/.disco/config.yaml]', ...lines].join('\n')
}

/** Without what Markdown adds; pages that are linked are in docs/. */
function plain(markdown: string): string {
  return markdown.replaceAll(/\[([^\]]+)\]\(([^)]+)\)/g, '$1 (docs/$2)').replaceAll('`', '')
}

function wrap(text: string, indent: number): string {
  const margin = ' '.repeat(indent)
  let line = margin
  const lines: string[] = []
  for (const word of text.split(' ')) {
    if (line.length + word.length > 96) {
      lines.push(line.trimEnd())
      line = margin
    }
    line += `${word} `
  }
  return [...lines, line.trimEnd()].join('\n')
}
