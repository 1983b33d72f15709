import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { until } from '../http/harness.ts'
import { LOCAL, run, start } from './command.ts'

describe('disco serve', () => {
  let data: string
  before(async () => {
    data = await mkdtemp(join(tmpdir(), 'disco-serve-'))
  })
  after(() => rm(data, { recursive: true, force: true }))

  it('says where it is, answers, keeps others off its data, and stops when it is told', async () => {
    const disco = start([...LOCAL, '--data', data])
    const address = await disco.address
    assert.equal((await fetch(`${address}/v2/`)).status, 200)

    const second = await run('serve', ...LOCAL, '--data', data)
    assert.equal(second.code, 1)
    assert.ok(second.err.includes(`another Disco runs on ${data} (process ${disco.child.pid} at ${address})`), second.err)

    assert.deepEqual(JSON.parse((await run('images', '--json', '--data', data)).out), [])
    disco.child.kill('SIGTERM')
    const { code, out, err } = await disco.ended
    assert.equal(code, 0, err)
    assert.match(out, /^data +\/.*\nnetwork +private\npeer id +\w+\nipfs +\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/\w+\nregistry +http:\/\/127\.0\.0\.1:\d+\n$/)
    assert.equal(err, '')
    assert.equal(existsSync(join(data, 'running.json')), false)
  })

  it('ends when the process that started it does', async () => {
    const disco = start([...LOCAL, '--data', data])
    await disco.address
    disco.child.disconnect()
    assert.equal((await disco.ended).code, 0)
  })

  it('serves with several processes, and replaces one that dies', async () => {
    const disco = start([...LOCAL, '--data', data, '--processes', '2'])
    const address = await disco.address
    const { pid } = disco.child
    assert.ok(pid)
    const [victim] = childrenOf(pid)
    assert.ok(victim)
    process.kill(victim, 'SIGKILL')
    await until(() => !childrenOf(pid).includes(victim) && childrenOf(pid).length === 2)
    assert.equal((await fetch(`${address}/v2/`)).status, 200)

    // nobody has it: asked of the process with the network, which takes its time and says so
    const unknown = await fetch(`${address}/v2/bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi/manifests/latest`)
    assert.equal(unknown.status, 404)
    assert.match(await unknown.text(), /NAME_UNKNOWN/)

    disco.child.kill('SIGINT')
    assert.equal((await disco.ended).code, 0)
  })

  it('tells in one line why it cannot start', async () => {
    const disco = start([...LOCAL, '--data', data])
    const { port } = new URL(await disco.address)
    const other = join(data, 'other')
    for (const processes of ['1', '2']) {
      const { code, err } = await run(...LOCAL, '--port', port, '--data', other, '--processes', processes)
      assert.deepEqual([code, err], [1, `disco: port ${port} is in use on 127.0.0.1: stop what listens there, or name another by --port\n`])
    }
    disco.child.kill('SIGTERM')
    await disco.ended

    const unwritable = await run(...LOCAL, '--data', '/proc/disco')
    assert.equal(unwritable.code, 1)
    assert.match(unwritable.err, /^disco: cannot use the data directory \/proc\/disco: .*\n$/)

    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const listen = `/ip4/127.0.0.1/tcp/${(taken.address() as AddressInfo).port}`
    const busy = await run('--host', '127.0.0.1', '--port', '0', '--network', 'private', '--listen', listen, '--data', other)
    taken.close()
    assert.deepEqual([busy.code, busy.err.split(': EADDRINUSE')[0], busy.err.split('\n').length], [1, `disco: --listen: cannot listen on ${listen}`, 2])

    const peer = await run('--peer', '/ip4/127.0.0.1/tcp/1/p2p/abc', '--listen', '/ip4/127.0.0.1/tcp/99999')
    assert.match(peer.err, /^disco: --listen: \S*99999 .*\ndisco: --peer: \S*abc .*\n$/)

    const wrong = await run(...LOCAL, '--prot', '1', '--network', 'open')
    assert.deepEqual([wrong.code, wrong.err], [1, "disco: --prot: is not an option; is --port meant?\ndisco: --network: 'open' is none of public, private\n"])
  })
})

function childrenOf(pid: number): number[] {
  try {
    return execFileSync('ps', ['-o', 'pid=,stat=', '--ppid', String(pid)], { encoding: 'utf8' })
      .trim().split('\n').filter((line) => !/Z/.test(line)).map((line) => Number.parseInt(line, 10))
  } catch {
    return []
  }
}
