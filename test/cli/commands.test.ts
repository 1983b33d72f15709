import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createDisco } from '../../src/disco.ts'
import { run } from './command.ts'
import { pushImage } from './image.ts'

describe('disco images, disco cid', () => {
  let data: string
  let cid: string
  let digest: string
  let size: number
  before(async () => {
    data = await mkdtemp(join(tmpdir(), 'disco-commands-'))
    const disco = await createDisco({ data, network: 'private', host: '127.0.0.1', port: 0, listen: ['/ip4/127.0.0.1/tcp/0'] })
    ;({ cid, digest, size } = await pushImage(disco.registry))
    await disco.stop()
  })
  after(() => rm(data, { recursive: true, force: true }))

  it('lists what is here', async () => {
    const [image, ...others] = JSON.parse((await run('images', '--json', '--data', data)).out)
    assert.deepEqual(others, [])
    const { createdAt, ...rest } = image
    assert.deepEqual(rest, { cid, digest, mediaType: 'application/vnd.oci.image.manifest.v1+json', size, platforms: ['linux/arm64/v8'] })
    assert.ok(Date.now() - Date.parse(createdAt) < 120_000)
    const { out } = await run('images', '--data', data)
    assert.match(out, new RegExp(`^CID +DIGEST +SIZE +PLATFORMS +AGE\n${cid}  sha256:[0-9a-f]{12} +3.0 MB +linux/arm64/v8 +\\d+[sm]\n$`))
  })

  it('gives the CID by digest, by its hex, and by name', async () => {
    for (const image of [digest, digest.slice('sha256:'.length), `x@${digest}`, 'tour:v1']) {
      assert.deepEqual(await run('cid', image, '--data', data), { code: 0, out: `${cid}\n`, err: '' })
    }
    assert.deepEqual(await run('cid', 'tour', '--data', data), { code: 1, out: '', err: 'disco: no image tour here\n' })
  })

  it('knows its commands', async () => {
    const wrong = await run('sevre')
    assert.deepEqual([wrong.code, wrong.err], [1, 'disco: sevre is not a command: disco --help lists them\n'])
    assert.match((await run('--help')).out, /disco cid[^]*--clone-timeout <duration>/)
    assert.match((await run('--version')).out, /^\d+\.\d+\.\d+\n$/)
    assert.match((await run('images', '--data', join(data, 'none'))).err, /^disco: nothing is at .*none yet/)
  })
})
