import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { basename, dirname, join, posix } from 'node:path'
import { describe, it } from 'node:test'

const ROOT = join(import.meta.dirname, '..')

/** From the top down: a room may import the rooms after it. Rooms in one row know nothing of each other. */
const ROOMS = [['cli'], ['disco'], ['assembly'], ['ui'], ['http'], ['global', 'notifications'], ['registry'], ['ipfs'], ['storage'], ['auth', 'config', 'telemetry'], ['oci']]

/** What http, global and registry may know of the rooms below them, where that is less than everything. */
const NARROW: readonly { readonly from: RegExp; readonly never: RegExp; readonly why: string }[] = [
  { from: /^http\//, never: /^global\/(?!names\.ts)/, why: 'http knows Registry' },
  { from: /^http\/(?!gateway)/, never: /^ipfs\//, why: 'http knows no IPFS; the gateway knows a reader of blocks' },
  { from: /^http\/gateway/, never: /^ipfs\/(embedded|kubo|gateway)\//, why: 'the gateway knows a reader of blocks and how DAGs are written' },
  { from: /^registry\//, never: /^(ipfs|http)\//, why: 'registry knows paths and bytes' },
  { from: /^(http|global|registry)\//, never: /^(ipfs|storage)\/(embedded|kubo|bucket|filesystem|memory)\//, why: 'only ports, no implementation behind them' },
]

/** Packages that only some places may import. */
const CONFINED: readonly { readonly package: RegExp; readonly to: RegExp }[] = [
  { package: /^(helia|@helia\/|libp2p|@libp2p\/|@chainsafe\/libp2p|@multiformats\/multiaddr|it-)/, to: /^ipfs\/embedded\// },
  { package: /^(kubo-rpc-client)/, to: /^ipfs\/kubo\// },
  { package: /^@aws-sdk\//, to: /^storage\/bucket\/s3\// },
  { package: /^@azure\//, to: /^storage\/bucket\/azure\// },
  { package: /^@google-cloud\//, to: /^storage\/bucket\/gcs\// },
  { package: /^(multiformats|@ipld\/|ipfs-unixfs)/, to: /^(ipfs|global|http\/gateway)/ },
  { package: /^pino$/, to: /^telemetry\// },
  { package: /^yaml$/, to: /^config\// },
  { package: /^(jose|bcryptjs)$/, to: /^auth\// },
  { package: /^(prom-client|@opentelemetry\/)/, to: /^telemetry\// },
  { package: /^node:sqlite$/, to: /^(storage|ipfs\/embedded)\// },
  { package: /^node:worker_threads$/, to: /^(storage|ipfs\/embedded|auth)\// },
  { package: /^node:http2?$/, to: /^(http|ipfs\/(gateway|kubo|embedded))\// },
  { package: /^node:(https|tls)$/, to: /^(http|notifications|ipfs\/(gateway|kubo)|storage\/bucket\/s3)\// },
  { package: /^node:cluster$/, to: /^cli\// },
]

interface Source {
  /** Below src/, with `/`. */
  readonly path: string
  readonly text: string
  /** Files below src/, and packages. */
  readonly imports: readonly string[]
}

const sources: readonly Source[] = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => {
    const text = readFileSync(join(ROOT, 'src', path), 'utf8')
    return { path, text, imports: importsOf(path, text) }
  })

function importsOf(path: string, text: string): string[] {
  const specifiers = text.matchAll(/(?:^|\n)(?:import|export)\s(?:[^'";]*?\sfrom\s)?'([^']+)'|\bimport\(\s*'([^']+)'|\bload\('([^']+)'\)/g)
  return [...specifiers].map(([, fixed, dynamic, optional]) => {
    const specifier = fixed ?? dynamic ?? optional ?? ''
    return specifier.startsWith('.') ? posix.join(dirname(path), specifier) : specifier
  })
}

function rank(path: string): number {
  const room = path.split('/')[0]?.replace(/\.ts$/, '') ?? ''
  const found = ROOMS.findIndex((row) => row.includes(room))
  assert.notEqual(found, -1, `${path} is in no room of the design`)
  return found
}

function faults(check: (source: Source, imported: string) => string | undefined): string[] {
  return sources.flatMap((source) => source.imports.flatMap((imported) => {
    const reason = check(source, imported)
    return reason === undefined ? [] : [`${source.path} imports ${imported}: ${reason}`]
  }))
}

const isOurs = (imported: string): boolean => imported.endsWith('.ts')

describe('the rooms', () => {
  it('import downwards only', () => {
    assert.ok(sources.length > 50)
    assert.deepEqual(faults(({ path }, imported) => {
      if (!isOurs(imported) || imported.split('/')[0] === path.split('/')[0]) return undefined
      return rank(imported) > rank(path) ? undefined : 'arrows point down'
    }), [])
  })

  it('know no more of each other than they need', () => {
    assert.deepEqual(faults(({ path }, imported) => NARROW.find(({ from, never }) => from.test(path) && never.test(imported))?.why), [])
  })

  it('keep each library to its place', () => {
    assert.deepEqual(faults((source, imported) => {
      const rule = CONFINED.find((candidate) => candidate.package.test(imported))
      return rule === undefined || rule.to.test(source.path) ? undefined : `belongs to ${String(rule.to)}`
    }), [])
  })
})

describe('the files', () => {
  it('are named in kebab-case, and none is a barrel or a drawer', () => {
    const wrong = sources.map(({ path }) => path).filter((path) => !/^[a-z0-9-/]+\.ts$/.test(path) || /^(index|utils?|helpers?|misc|common)\.ts$/.test(basename(path)))
    assert.deepEqual(wrong, [])
  })

  it('have at most 300 lines', () => {
    assert.deepEqual(sources.filter(({ text }) => text.split('\n').length > 301).map(({ path }) => path), [])
  })

  it('say why a lint rule is suppressed', () => {
    const unexplained = /(?:eslint|oxlint)-disable(?!.* -- )|@ts-(?:ignore|nocheck|expect-error)/
    assert.deepEqual(sources.filter(({ text }) => unexplained.test(text)).map(({ path }) => path), [])
  })

  it('name no registry in the lock file', () => {
    const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as { packages: Record<string, { resolved?: string }> }
    assert.deepEqual(Object.entries(lock.packages).filter(([, entry]) => entry.resolved !== undefined).map(([path]) => path), [])
  })
})

describe('the dependencies', () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<'dependencies' | 'devDependencies' | 'peerDependencies', Record<string, string>> & {
    readonly peerDependenciesMeta: Record<string, { readonly optional: boolean }>
  }

  it('are each explained in docs/dependencies.md', () => {
    const page = readFileSync(join(ROOT, 'docs/dependencies.md'), 'utf8')
    const all = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies, ...manifest.peerDependencies })
    assert.deepEqual(all.filter((name) => !page.includes(`\`${name}\``)), [])
  })

  it('are declared where they are imported', () => {
    const imported = new Set(sources.flatMap(({ imports }) => imports).filter((name) => !isOurs(name) && !name.startsWith('node:')))
    const packages = [...imported].map((name) => name.split('/').slice(0, name.startsWith('@') ? 2 : 1).join('/'))
    assert.deepEqual(packages.filter((name) => ({ ...manifest.dependencies, ...manifest.peerDependencies })[name] === undefined), [])
  })

  it('that Disco does not bring along are loaded only where they are needed, and asked for by name', () => {
    const optional = Object.keys(manifest.peerDependencies)
    assert.deepEqual(optional.filter((name) => manifest.peerDependenciesMeta[name]?.optional !== true || name in manifest.dependencies), [])
    assert.deepEqual(optional.filter((name) => sources.some(({ text }) => text.includes(`from '${name}`) || text.includes(`import('${name}`))), [])
    assert.deepEqual(optional.filter((name) => !sources.some(({ imports }) => imports.includes(name))), [])
  })
})
