import { SKILLS, type Client, type Skill } from './client.ts'
import { HEAVY, type Face } from './faces.ts'

const HEADINGS: Readonly<Record<Skill, string>> = {
  image: 'Image',
  index: 'Index',
  layers: '101 layers',
  large: '64 MiB layer',
  copy: 'Registry to registry',
  referrers: 'Referrers',
  cid: 'Pull by CID from another Disco',
  refusal: 'Refused to push to a CID',
}

/** What the suite has seen work. */
export class Shown {
  readonly #faces = new Map<string, Set<Face>>()

  record(client: Client, what: string, face: Face): void {
    const key = `${client.name} ${what}`
    this.#faces.set(key, (this.#faces.get(key) ?? new Set()).add(face))
  }

  everywhere(client: Client, what: string, faces: readonly Face[]): boolean {
    const shown = this.#faces.get(`${client.name} ${what}`)
    return faces.every((face) => shown?.has(face))
  }
}

/** docs/clients.md, of what was shown. */
export async function clientsPage(clients: readonly Client[], faces: readonly Face[], shown: Shown): Promise<string> {
  const rows = await Promise.all(clients.map(async (client) => {
    const skills = SKILLS.map((skill) => {
      if (client.cannot[skill] !== undefined) return '—'
      return shown.everywhere(client, skill, HEAVY.has(skill) ? faces.filter((face) => face.heavy) : faces) ? '✓' : '✗'
    })
    const own = Object.keys(client.own ?? {}).map((name) => (shown.everywhere(client, name, faces) ? name : `✗ ${name}`))
    return [client.name, await client.version(), ...skills, own.join('; ')]
  }))
  const headings = ['Client', 'Version', ...SKILLS.map((skill) => HEADINGS[skill]), 'Besides']
  const dashes = clients.flatMap(({ name, cannot }) => {
    const reasons = Map.groupBy(SKILLS.filter((skill) => cannot[skill] !== undefined), (skill) => cannot[skill] ?? '')
    return [...reasons].map(([reason, skills]) => `- ${name}, ${skills.map((skill) => HEADINGS[skill].toLowerCase()).join(', ')}: ${reason}.`)
  })
  return `# Clients

What \`bash test/e2e/run test/e2e/clients.test.ts\` shows in every run of \`.ci/run\`, and wrote here (\`DISCO_TEST_WRITE_DOCS=1\`). Each ✓ was shown over ${sentence(faces.map((face) => face.name))}${heavy(faces)}; what was pulled was compared with what was pushed by digest. "Pull by CID" is the whole way: push \`NAME:latest\`, learn the CID, pull \`CID\` and \`CID@digest\` from a second Disco that knows nothing but the first one's gateway.

${[headings, headings.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')}

A dash is what the client itself does not do:

${dashes.join('\n')}

## Setting a client up

${clients.map(({ name, setup }) => `- **${name}**: ${setup}`).join('\n')}
`
}

/** Without the versions that the machine's distribution decides. */
export function comparable(page: string, clients: readonly Client[]): string {
  const fromDebian = new Set(clients.filter(({ source }) => source === 'Debian').map(({ name }) => name))
  return page.replaceAll(/^\| ([^|]+) \| [^|]* \|/gm, (row, name: string) => (fromDebian.has(name) ? `| ${name} | |` : row))
}

function heavy(faces: readonly Face[]): string {
  const names = faces.filter((face) => face.heavy).map((face) => face.name)
  return names.length === faces.length ? '' : ` (many layers and the large one over ${sentence(names)})`
}

function sentence(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}
