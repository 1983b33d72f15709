import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { lastStorage, noteStorage } from '../../src/assembly/last-storage.ts'
import { completeConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/options.ts'
import { createDisco, type DiscoOptions } from '../../src/disco.ts'
import { run } from './command.ts'
import { pushImage } from './image.ts'

describe('where a data directory has its images', () => {
  let directory: string
  let data: string
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'disco-last-'))
    data = join(directory, 'data')
  })
  after(() => rm(directory, { recursive: true, force: true }))

  const serveOnce = async (options: DiscoOptions): Promise<string> => {
    const disco = await createDisco({ data, network: 'private', host: '127.0.0.1', port: 0, listen: ['/ip4/127.0.0.1/tcp/0'], ...options })
    const { cid } = await pushImage(disco.registry)
    await disco.stop()
    return cid
  }
  const note = (options: Partial<Config>): void => noteStorage(completeConfig({ data, ...options }))
  const listed = async (): Promise<string[]> => (JSON.parse((await run('images', '--json', '--data', data)).out) as { cid: string }[]).map(({ cid }) => cid)

  it('is known to commands that are not told', async () => {
    const cid = await serveOnce({ storageFilesystem: join(directory, 'tree') })
    assert.deepEqual(await listed(), [cid])
    assert.equal((await run('cid', 'tour:v1', '--data', data)).out, `${cid}\n`)
  })

  it('is the directory again when it was served so last, and not what is gone with its process', async () => {
    await serveOnce({})
    await rm(join(directory, 'tree'), { recursive: true })
    assert.equal((await listed()).length, 1)
    await serveOnce({ storageInmemory: true })
    assert.equal((await listed()).length, 1)
  })

  it('is several Kubos in their order', () => {
    const kubo = [{ url: 'http://b:5001' }, { url: 'https://a/kubo' }]
    note({ kubo })
    assert.deepEqual(lastStorage(data), { kubo })
    note({})
    assert.deepEqual(lastStorage(data), {})
  })

  it('is named, and no secret of it kept, where it wants one', async () => {
    const file = join(data, 'storage.json')
    const wanted: readonly (readonly [Partial<Config>, RegExp])[] = [
      [{ kubo: [{ url: 'http://me:s3cret@a:5001' }] }, /was used with Kubo at http:\/\/a:5001, which asks for a login: name it by --kubo or --config$/],
      [{ kubo: [{ url: 'http://a:5001' }, { url: 'http://b', token: 's3cret' }] }, /Kubo at http:\/\/a:5001, http:\/\/b, which/],
      [{ storageR2: { bucket: 'images', regionEndpoint: 'https://r2', accessKey: 'me', secretKey: 's3cret' } as Config['storageR2'] }, /was used with the bucket images at https:\/\/r2: name it by --config$/],
    ]
    for (const [options, message] of wanted) {
      note(options)
      assert.equal((await stat(file)).mode & 0o777, 0o600)
      assert.doesNotMatch(await readFile(file, 'utf8'), /s3cret/)
      const { code, err } = await run('images', '--data', data)
      assert.equal(code, 1)
      assert.match(err.trim(), message)
    }
    await writeFile(file, '{"name":"cut o')
    assert.deepEqual(lastStorage(data), {})
  })
})
