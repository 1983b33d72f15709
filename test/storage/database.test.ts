import assert from 'node:assert/strict'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Database } from '../../src/storage/embedded/database.ts'
import { StorageFailedError } from '../../src/storage/errors.ts'

const TABLE = ['CREATE TABLE t (a TEXT PRIMARY KEY, b BLOB)']

async function withFile(run: (file: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'disco-database-'))
  try {
    await run(join(directory, 'x.db'))
  } finally {
    await rm(directory, { recursive: true })
  }
}

async function withDatabase(run: (database: Database, file: string) => Promise<void>): Promise<void> {
  await withFile(async (file) => {
    const database = await Database.open(file)
    try {
      await database.migrate('t', TABLE)
      await run(database, file)
    } finally {
      await database.close()
    }
  })
}

const insert = (a: string): { sql: string; params: [string, null] } => ({ sql: 'INSERT INTO t VALUES (?, ?)', params: [a, null] })
const rows = (database: Database): string[] => database.all<{ a: string }>('SELECT a FROM t ORDER BY a').map(({ a }) => a)

describe('Database', () => {
  it('shows what was written', () => withDatabase(async (database) => {
    await database.write([{ sql: 'INSERT INTO t VALUES (?, ?)', params: ['x', Buffer.from('bytes')] }])
    assert.deepEqual(Buffer.from(database.get<{ b: Uint8Array }>('SELECT b FROM t WHERE a = ?', 'x')?.b ?? []), Buffer.from('bytes'))
    assert.equal(database.get('SELECT b FROM t WHERE a = ?', 'y'), undefined)
  }))

  it('lets each of those that share a commit fail alone', () => withDatabase(async (database) => {
    const mine = new Error('mine')
    const outcomes = await Promise.allSettled([
      database.write([insert('1')]),
      database.write([insert('2'), { sql: 'SELECT a FROM t ORDER BY a', expect: ['1'], otherwise: mine }]),
      database.write([insert('3'), insert('1')]),
      database.write([{ sql: 'SELECT a FROM t ORDER BY a', expect: ['1'], otherwise: mine }, insert('4')], { durable: false }),
      database.write([{ sql: 'nonsense' }]),
    ])
    assert.deepEqual(outcomes.map(({ status }) => status), ['fulfilled', 'rejected', 'rejected', 'fulfilled', 'rejected'])
    assert.equal(outcomes[1]?.status === 'rejected' && outcomes[1].reason, mine)
    assert.ok(outcomes[2]?.status === 'rejected' && outcomes[2].reason instanceof StorageFailedError && outcomes[2].reason.cause instanceof Error)
    assert.deepEqual(rows(database), ['1', '4'])
  }))

  it('compares values of every kind', () => withDatabase(async (database) => {
    await database.write([{ sql: 'SELECT 1 UNION ALL SELECT NULL UNION ALL SELECT x\'0102\'', expect: [1n, null, Buffer.of(1, 2)] }])
    await assert.rejects(database.write([{ sql: 'SELECT 1 WHERE 0', expect: [1] }]))
    await assert.rejects(database.write([{ sql: 'SELECT 1', expect: [] }]))
  }))

  it('does not begin for a signal that has aborted', () => withDatabase(async (database) => {
    await assert.rejects(database.write([insert('1')], { signal: AbortSignal.abort(new Error('gone')) }), /gone/)
    assert.deepEqual(rows(database), [])
  }))

  it('migrates each room once, step by step', () => withDatabase(async (database, file) => {
    const more = [...TABLE, 'CREATE TABLE u (c TEXT)']
    await database.migrate('t', more)
    await database.migrate('other', ['CREATE TABLE o (c TEXT)'])
    await database.write([{ sql: 'INSERT INTO u VALUES (1)' }])
    const later = await Database.open(file)
    await Promise.all([later.migrate('t', more), database.migrate('t', TABLE), later.migrate('other', ['CREATE TABLE o (c TEXT)'])])
    assert.equal(later.all('SELECT * FROM u').length, 1)
    await later.close()
    await assert.rejects(database.migrate('bad', ['CREATE TABLE bad (c TEXT)', 'nonsense']), StorageFailedError)
    await database.migrate('bad', ['CREATE TABLE bad (c TEXT)'])
  }))

  it('is opened by many at once, all of whom write', () => withFile(async (file) => {
    const all = await Promise.all(Array.from({ length: 6 }, () => Database.open(file)))
    await Promise.all(all.map((each) => each.migrate('t', TABLE)))
    await Promise.all(all.flatMap((each, i) => Array.from({ length: 20 }, (_, j) => each.write([insert(`${i}-${j}`)]))))
    for (const each of all) assert.equal(rows(each).length, 120)
    await Promise.all(all.map((each) => each.close()))
  }))

  it('keeps its log short', () => withDatabase(async (database, file) => {
    for (let i = 0; i < 12; i++) {
      await Promise.all(Array.from({ length: 40 }, (_, j) => database.write([{ sql: 'INSERT INTO t VALUES (?, ?)', params: [`${i}-${j}`, Buffer.alloc(20_000)] }])))
    }
    assert.ok((await stat(`${file}-wal`)).size < 4 * 1024 * 1024)
  }))

  it('reads together what was asked for in one turn, as it is when the last one has asked', () => withDatabase(async (database, file) => {
    const other = new DatabaseSync(file)
    try {
      const write = (a: string): void => void other.prepare('INSERT INTO t VALUES (?, NULL)').run(a)
      const asked = async (): Promise<string[]> => {
        await database.gathered()
        return rows(database)
      }
      const first = asked()
      write('before the last')
      const last = asked()
      write('before it is read')
      const all = ['before it is read', 'before the last']
      assert.deepEqual(await Promise.all([first, last]), [all, all])
      await nextTurn()
      write('after')
      assert.deepEqual(await asked(), ['after', ...all])
    } finally {
      other.close()
    }
  }))

  it('refuses after its end', () => withFile(async (file) => {
    const database = await Database.open(file)
    await database.migrate('t', TABLE)
    const last = database.write([insert('1')])
    await database.close()
    await last
    await assert.rejects(database.write([insert('2')]), StorageFailedError)
    assert.throws(() => database.get('SELECT 1'), StorageFailedError)
    await database.close()
  }))

  it('says what it cannot open', async () => {
    await assert.rejects(Database.open('/nowhere/at/all.db'), StorageFailedError)
  })
})
