import assert from 'node:assert/strict'
import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { Logins } from '../../src/auth/logins.ts'
import { parsePasswordFile } from '../../src/auth/password-file.ts'
import { RegistryError } from '../../src/oci/errors.ts'
import { entry, notebook, scratch } from './harness.ts'

interface Opened {
  readonly logins: Logins
  readonly path: string
  readonly lines: readonly string[]
  check(user: string, password: string, address?: string): Promise<boolean>
}

async function open(t: TestContext, text: string): Promise<Opened> {
  const path = join(await scratch(t), 'htpasswd')
  await writeFile(path, text)
  const notes = notebook()
  const logins = await Logins.open({ path, notes, interval: 0 })
  t.after(() => logins.close())
  const check = (user: string, password: string, address = '192.0.2.1'): Promise<boolean> => logins.check({ scheme: 'basic', user, password }, address)
  return { logins, path, check, lines: notes.lines }
}

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

function isTooMany(error: unknown): boolean {
  return error instanceof RegistryError && error.code === 'TOOMANYREQUESTS' && Number(error.headers['Retry-After']) > 0
}

describe('an htpasswd file', () => {
  it('lets in by bcrypt alone, and names what it has not understood, without the hash', async (t) => {
    const { check, lines } = await open(t, `# people\n\n${entry('alice', 'wonderland')}bob:{SHA}c2VjcmV0aGFzaA==\ncarol:$apr1$x$secrethash\nold:$2y$05$secrethash\n`)
    assert.equal(await check('alice', 'wonderland'), true)
    assert.equal(await check('alice', 'Wonderland'), false)
    assert.equal(await check('bob', 'secret'), false)
    assert.equal(await check('', ''), false)
    const said = lines.join('\n')
    assert.match(said, /line 4: bob has SHA-1/)
    assert.match(said, /line 5: carol has MD5/)
    assert.match(said, /line 6: old has a damaged bcrypt hash/)
    assert.doesNotMatch(said, /secrethash|wonderland|c2VjcmV0/)
  })

  it('takes 2y as Apache writes it, colons and other languages in passwords', async (t) => {
    const { check } = await open(t, entry('a', 'pä:ss:wörd').replace('$2b$', '$2y$'))
    assert.equal(await check('a', 'pä:ss:wörd'), true)
  })

  it('that is not there, or is none, is an error that names it', async (t) => {
    const path = join(await scratch(t), 'nobody')
    await assert.rejects(Logins.open({ path, notes: notebook() }), (error: Error) => error.message.includes(path) && error.message.includes('auth.htpasswd.path'))
    await writeFile(path, 'nonsense\n')
    await assert.rejects(Logins.open({ path, notes: notebook() }), /line 1 is not user:hash/)
  })

  it('is read again when it changes; a broken one changes nothing and is told once', async (t) => {
    const { check, path, lines } = await open(t, entry('alice', 'one'))
    assert.equal(await check('bob', 'two'), false)
    await appendFile(path, entry('bob', 'two'))
    assert.equal(await check('bob', 'two'), true)
    await writeFile(path, 'broken\n')
    assert.equal(await check('bob', 'two'), true)
    assert.equal(await check('alice', 'one'), true)
    assert.equal(lines.filter((line) => line.includes("can't be used")).length, 1)
    await writeFile(path, entry('alice', 'three'))
    assert.equal(await check('alice', 'one'), false)
    assert.equal(await check('bob', 'two'), false)
    assert.equal(await check('alice', 'three'), true)
  })

  it('has a hash for those who are no users, as dear as the others', () => {
    assert.match(parsePasswordFile(entry('a', 'b', 6)).dummy, /^\$2b\$06\$.{53}$/)
  })
})

describe('a login', () => {
  it('costs one comparison for a hundred requests', async (t) => {
    const { check } = await open(t, entry('alice', 'wonderland', 10))
    const first = await milliseconds(() => check('alice', 'wonderland'))
    const hundred = await milliseconds(() => Promise.all(Array.from({ length: 100 }, () => check('alice', 'wonderland'))))
    assert.ok(hundred < first, `${hundred} ms after ${first} ms`)
  })

  it('costs one comparison for a hundred that come at once, and they are one attempt', async (t) => {
    const { check } = await open(t, entry('alice', 'wonderland', 8))
    assert.ok((await Promise.all(Array.from({ length: 100 }, () => check('alice', 'wonderland')))).every(Boolean))
  })

  it('takes as long for somebody unknown as for a wrong password', async (t) => {
    const { check } = await open(t, entry('alice', 'wonderland', 9))
    await check('alice', 'warm')
    const times = { wrong: [] as number[], unknown: [] as number[] }
    for (let i = 0; i < 3; i++) {
      times.wrong.push(await milliseconds(() => check('alice', `no ${i}`, `192.0.2.${i}`)))
      times.unknown.push(await milliseconds(() => check(`nobody${i}`, 'no', `192.0.2.${i}`)))
    }
    assert.ok(Math.min(...times.unknown) > Math.min(...times.wrong) / 2, JSON.stringify(times))
  })

  it('holds up nobody while it is compared', async (t) => {
    const { check } = await open(t, entry('alice', 'wonderland', 11))
    let longest = 0
    let last = performance.now()
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }, 1)
    const took = await milliseconds(() => check('alice', 'wonderland'))
    clearInterval(timer)
    assert.ok(longest < took / 2, `${longest} ms of ${took} ms`)
  })

  it('that failed once or twice is no matter', async (t) => {
    const { check } = await open(t, entry('alice', 'wonderland'))
    assert.equal(await check('alice', 'wrong'), false)
    assert.equal(await check('alice', 'wrong again'), false)
    assert.equal(await check('alice', 'wonderland'), true)
  })

  it('with an old password, again and again, is refused and nothing more', async (t) => {
    const { check } = await open(t, entry('alice', 'wonderland'))
    for (let i = 0; i < 200; i++) assert.equal(await check('alice', 'old'), false)
    assert.equal(await check('alice', 'wonderland'), true)
  })

  it('has to wait after many guesses, also when they come at once', async (t) => {
    const { check } = await open(t, entry('alice', 'wonderland'))
    const guesses = await Promise.allSettled(Array.from({ length: 40 }, (_, i) => check('alice', `guess ${i}`)))
    assert.equal(guesses.filter(({ status }) => status === 'fulfilled').length, 5)
    for (const guess of guesses) assert.ok(guess.status === 'fulfilled' ? !guess.value : isTooMany(guess.reason))
    await assert.rejects(check('alice', 'wonderland'), isTooMany)
  })

  it('of others at the address of somebody who guesses goes on, and waits for seconds at worst', async (t) => {
    const { check } = await open(t, entry('alice', 'one') + entry('bob', 'two') + entry('carol', 'three'))
    assert.equal(await check('bob', 'two'), true)
    for (let i = 0; i < 30; i++) await check(`nobody${i}`, 'x').catch(() => undefined)
    assert.equal(await check('bob', 'two'), true, 'whose password is known')
    assert.equal(await check('bob', 'mistyped'), false, 'who was there before is not counted with the others')
    const late = await check('carol', 'three').catch((error: unknown) => error)
    assert.ok(late instanceof RegistryError && Number(late.headers['Retry-After']) <= 10)
    assert.equal(await check('carol', 'three', '198.51.100.7'), true, 'from elsewhere')
  })

  it('of one user is slowed down from all addresses together; he himself goes on where he was', async (t) => {
    const { check } = await open(t, entry('alice', 'wonderland'))
    assert.equal(await check('alice', 'wonderland', '198.51.100.1'), true)
    const guesses = await Promise.allSettled(Array.from({ length: 60 }, (_, i) => check('alice', `guess ${i}`, `203.0.113.${i}`)))
    assert.equal(guesses.filter(({ status }) => status === 'fulfilled').length, 20)
    assert.equal(await check('alice', 'mistyped', '198.51.100.1'), false)
    assert.equal(await check('alice', 'wonderland', '198.51.100.1'), true)
  })

  it('that is remembered does not tell itself to who guesses elsewhere without waiting', async (t) => {
    const { check } = await open(t, entry('alice', 'wonderland'))
    assert.equal(await check('alice', 'wonderland', '198.51.100.1'), true)
    for (let i = 0; i < 5; i++) await check('alice', `guess ${i}`)
    for (const guess of ['guess 6', 'wonderland', 'guess 7']) await assert.rejects(check('alice', guess), isTooMany, guess)
    assert.equal(await check('alice', 'wonderland', '198.51.100.1'), true, 'where it is remembered')
  })

  it('nor, beyond some hundred guesses, to who guesses at the same address', async (t) => {
    const { check } = await open(t, entry('alice', 'wonderland'))
    assert.equal(await check('alice', 'wonderland'), true)
    for (let i = 0; i < 100; i++) await check('alice', `guess ${i}`).catch(() => undefined)
    assert.equal(await check('alice', 'wonderland'), true, 'a program with many old passwords')
    for (let i = 0; i < 200; i++) await check('alice', `guess again ${i}`).catch(() => undefined)
    await assert.rejects(check('alice', 'wonderland'), isTooMany)
  })

  it('counts an IPv6 network as one address', async (t) => {
    const { check } = await open(t, entry('alice', 'wonderland'))
    const guesses = await Promise.allSettled(Array.from({ length: 40 }, (_, i) => check(`user${i}`, 'guess', `2001:db8:1:2::${i.toString(16)}`)))
    assert.equal(guesses.filter(({ status }) => status === 'fulfilled').length, 20)
  })
})
