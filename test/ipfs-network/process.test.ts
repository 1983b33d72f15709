import { execFile, execFileSync } from 'node:child_process'
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'

const script = new URL('start-and-stop.ts', import.meta.url).pathname
const swarm = new URL('public-swarm.ts', import.meta.url).pathname
const run = promisify(execFile)

describe('a process with a network', { concurrency: true }, () => {
  let directory = ''
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'disco-network-'))
  })
  after(() => rm(directory, { recursive: true }))

  it('ends by itself once the network is stopped', async () => {
    const { stdout } = await run(process.execPath, [script, 'private', directory, '0'], { timeout: 20_000 })
    assert.equal(JSON.parse(stdout).warnings.length, 0)
  })

  // In a namespace of its own the public network is out of reach, and so are its hosts.
  it('starts as fast without a way out, says so once, and ends', { skip: !hasNamespaces() && 'no network namespaces' }, async () => {
    const command = `ip link set lo up; exec "${process.execPath}" "${script}" public "${directory}" 12000`
    const { stdout, stderr } = await run('unshare', ['-rn', 'sh', '-c', command], { timeout: 40_000 })
    const { startedIn, stoppedIn, warnings } = JSON.parse(stdout)
    assert.equal(stderr, '')
    assert.ok(startedIn < 2_000, `started in ${startedIn} ms`)
    assert.ok(stoppedIn < 5_500, `stopped in ${stoppedIn} ms`)
    assert.deepEqual(warnings, ['nobody could be reached on the IPFS network; all that is local works'])
  })

  // Public addresses of a namespace's own; there is no multicast on loopback, so mDNS has no part in it.
  it('provides to a DHT, and finds there who provides', { skip: !hasNamespaces() && 'no network namespaces' }, async () => {
    const addresses = ['45.33.1.1', '45.33.1.2', '45.33.1.3']
    const setup = ['ip link set lo up', ...addresses.map((address) => `ip addr add ${address}/24 dev lo`)].join('; ')
    const command = `${setup}; exec "${process.execPath}" "${swarm}" "${directory}" ${addresses.join(' ')}`
    const { stdout } = await run('unshare', ['-rn', 'sh', '-c', command], { timeout: 60_000 })
    assert.deepEqual(JSON.parse(stdout), { provided: true, fetched: true })
  })
})

function hasNamespaces(): boolean {
  try {
    execFileSync('unshare', ['-rn', 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
