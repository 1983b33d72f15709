import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { promisify } from 'node:util'
import { createDisco } from '../../src/disco.ts'

const LOCAL = { network: 'private', host: '127.0.0.1', port: 0, listen: ['/ip4/127.0.0.1/tcp/0'] } as const

it('starts once, and says so', async () => {
  const data = await mkdtemp(join(tmpdir(), 'disco-library-'))
  const disco = await createDisco({ ...LOCAL, data })
  try {
    await disco.start()
    await assert.rejects(disco.start(), /was started already/)
    await assert.rejects(disco.service.cloneGlobalRepo('nonsense'), { code: 'NAME_INVALID' })
    await disco.stop()
    await assert.rejects(disco.start(), /was stopped/)
  } finally {
    await disco.stop()
    await rm(data, { recursive: true })
  }
})

it('stops in the middle of a start, and leaves nothing behind', async () => {
  const data = await mkdtemp(join(tmpdir(), 'disco-library-'))
  const disco = await createDisco({ ...LOCAL, data })
  const starting = disco.start()
  const failing = assert.rejects(starting, /was stopped before it had started/)
  await disco.stop()
  await failing
  const next = await createDisco({ ...LOCAL, data })
  await next.stop()
  await rm(data, { recursive: true })
})

it('lets go of everything when one of its parts can not be built', async () => {
  const data = await mkdtemp(join(tmpdir(), 'disco-library-'))
  const certificate = join(data, 'none.pem')
  await writeFile(certificate, 'nothing')
  const options = { ...LOCAL, data, debugAddress: '127.0.0.1:0', otlpEndpoint: 'http://127.0.0.1:9', tlsCertificate: certificate, tlsKey: certificate }
  await assert.rejects(createDisco(options), { name: 'ConfigError' })
  await writeFile(join(data, 'users'), 'alice:$2y$05$abcdefghijklmnopqrstuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu\n')
  const program = `
    import { createDisco } from ${JSON.stringify(new URL('../../src/disco.ts', import.meta.url).href)}
    await createDisco(${JSON.stringify({ ...options, authHtpasswdPath: join(data, 'users') })}).catch(({ name }) => console.log(name))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { timeout: 60_000 })
  assert.equal(stdout, 'ConfigError\n')
  await rm(data, { recursive: true })
})

it('tells all that is wrong with its options at once', async () => {
  await assert.rejects(createDisco({ netwrok: 'private', peer: ['/ip4/127.0.0.1/tcp/1/p2p/abc'] } as never), (error: Error) => {
    assert.equal(error.name, 'ConfigError')
    assert.match(error.message, /^netwrok: is not an option; is network meant\?\npeer: \S+ .*$/)
    return true
  })
})

it('runs in a program that is given on the command line', async () => {
  const data = await mkdtemp(join(tmpdir(), 'disco-library-'))
  const program = `
    import { createDisco } from ${JSON.stringify(new URL('../../src/disco.ts', import.meta.url).href)}
    const disco = await createDisco(${JSON.stringify({ ...LOCAL, data })})
    console.log(await disco.start())
    await disco.stop()`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
  assert.match(stdout, /^http:\/\/127\.0\.0\.1:\d+\n$/)
  await rm(data, { recursive: true })
})
