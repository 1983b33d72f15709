import assert from 'node:assert/strict'
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
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
    const short = digest.slice(0, 'sha256:'.length + 12)
    const names = ['tour:v1', 'localhost:19701/tour:v1', `localhost:1970/a/b/c@${digest}`]
    for (const image of [digest, digest.slice('sha256:'.length), short, short.slice('sha256:'.length), ...names]) {
      assert.deepEqual(await run('cid', image, '--data', data), { code: 0, out: `${cid}\n`, err: '' })
    }
    assert.deepEqual(await run('cid', 'tour', '--data', data), { code: 1, out: '', err: 'disco: no image tour here\n' })
    for (const image of ['../../etc', '', '/', 'a:b:c']) {
      const { code, err } = await run('cid', image, '--data', data)
      assert.deepEqual([code, err], [1, `disco: '${image}' is neither a digest nor the name of an image; usage: disco cid <digest or name[:tag]>\n`])
    }
  })

  it('takes options before the command and after it, and tells which it does not know', async () => {
    for (const args of [['--data', data, 'cid', 'tour:v1'], ['cid', '--port', '5', 'tour:v1', '--data', data], ['--keepnames', 'cid', 'tour:v1', `--data=${data}`]]) {
      assert.deepEqual(await run(...args), { code: 0, out: `${cid}\n`, err: '' })
    }
    assert.deepEqual(JSON.parse((await run('--json', 'images', '--data', data)).out).length, 1)
    assert.deepEqual(await run('images', '--jsn', '--data', data), { code: 1, out: '', err: 'disco: --jsn: is not an option\n' })
    assert.deepEqual(await run('--port', '0', 'serve', 'now'), { code: 1, out: '', err: 'disco: now: is not an option: options begin with --\n' })
  })

  it('only reads, also as somebody who may do no more', async () => {
    const before = await readdir(data)
    await chmod(data, 0o500)
    try {
      assert.equal((await run('cid', 'tour:v1', '--data', data)).out, `${cid}\n`)
    } finally {
      await chmod(data, 0o700)
    }
    assert.deepEqual(await readdir(data), before)
    const empty = await mkdtemp(join(tmpdir(), 'disco-empty-'))
    assert.match((await run('images', '--data', empty)).err, /^disco: nothing is at .* yet/)
    await writeFile(join(empty, 'disco.db'), 'this is no database, though it is long enough to be taken for one by its size alone')
    assert.match((await run('images', '--data', empty)).err, /^disco: cannot read .*disco\.db: file is not a database\n$/)
    assert.deepEqual(await readdir(empty), ['disco.db'])
    await rm(empty, { recursive: true })
  })

  it('knows its commands', async () => {
    const wrong = await run('sevre')
    assert.deepEqual([wrong.code, wrong.err], [1, 'disco: sevre is not a command: disco --help lists them\n'])
    assert.match((await run('--help')).out, /disco cid[^]*--clone-timeout <duration>/)
    assert.match((await run('--version')).out, /^\d+\.\d+\.\d+\n$/)
    assert.match((await run('images', '--data', join(data, 'none'))).err, /^disco: nothing is at .*none yet/)
  })
})
