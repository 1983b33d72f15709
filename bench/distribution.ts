import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import type { Peer, PeerId, Started } from './peers.ts'
import { freePort, startServer } from './server.ts'

const GOBIN = process.env['GOBIN'] ?? join(process.env['GOPATH'] ?? join(homedir(), 'go'), 'bin')
const PATH = { PATH: [process.env['PATH'], '/usr/local/go/bin', GOBIN].join(delimiter) }
const run = promisify(execFile)

/** A program of Distribution's, and where it comes from. */
export interface Program {
  readonly title: string
  readonly file: string
  readonly install: string
}

export const DOCKER_REGISTRY: Program = { title: 'docker-registry', file: 'docker-registry', install: 'apt-get install docker-registry' }
export const DISTRIBUTION: Program = { title: 'Distribution', file: 'registry', install: 'go install github.com/distribution/distribution/v3/cmd/registry@v3.1.2' }

/** Both generations of Distribution, without a log of requests, with the cache that its sample configuration has. */
export function distribution(id: PeerId, program: Program): Peer {
  const { title, install, file } = program
  return {
    id,
    title,
    install,
    global: false,
    version: () => distributionVersion(file),
    async start(directory) {
      const data = join(directory, 'data')
      await mkdir(data)
      const { port, command } = await distributionCommand(directory, program, { filesystem: { rootdirectory: data } })
      return await startServer(port, data, command)
    },
  }
}

export async function distributionVersion(file: string): Promise<string> {
  return / v?(\d[\d.]*)/.exec((await run(file, ['--version'], { env: { ...process.env, ...PATH } })).stdout)?.[1] ?? ''
}

export async function distributionCommand(directory: string, { file }: Program, storage: object): Promise<Started> {
  const port = await freePort()
  const config = join(directory, 'config.yml')
  await writeFile(config, [
    'version: 0.1',
    'log: { level: error, accesslog: { disabled: true } }',
    `storage: ${JSON.stringify({ ...storage, cache: { blobdescriptor: 'inmemory' } })}`,
    `http: { addr: "127.0.0.1:${port}" }`,
    '',
  ].join('\n'))
  // Distribution v3 else looks for a collector of traces; version 2 panics at a bucket where AWS_CA_BUNDLE is set.
  const env = { ...PATH, OTEL_TRACES_EXPORTER: 'none', AWS_CA_BUNDLE: '' }
  return { port, command: { file, args: ['serve', config], env } }
}
