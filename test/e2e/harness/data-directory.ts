import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Bytes that a directory takes on disk, all that is in it included. */
export async function diskUse(directory: string): Promise<number> {
  const paths = [directory, ...(await pathsIn(directory))]
  const stats = await Promise.all(paths.map((path) => lstat(path)))
  return stats.reduce((sum, { blocks }) => sum + blocks * 512, 0)
}

/**
 * Everything that a stopped server's directory holds: its files by path and size, its databases by table and number of
 * rows. Two equal contents mean that nothing was left behind.
 */
export async function contentOf(directory: string): Promise<Record<string, number>> {
  const content: Record<string, number> = {}
  for (const path of await pathsIn(directory)) {
    const stat = await lstat(path)
    if (stat.isDirectory()) continue
    const name = path.slice(directory.length + 1)
    const rows = rowsOf(path)
    if (rows === undefined) content[name] = stat.size
    else for (const [table, count] of rows) content[`${name}: rows of ${table}`] = count
  }
  return content
}

async function pathsIn(directory: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true })
  return names.map((name) => join(directory, name)).sort()
}

/** Rows of each table, or undefined for a file that is no SQLite database. */
function rowsOf(path: string): [table: string, rows: number][] | undefined {
  if (!/\.(db|sqlite3?)$/.test(path)) return undefined
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    const tables = database.prepare(`SELECT name FROM sqlite_schema WHERE type = 'table'`).all() as { name: string }[]
    return tables.map(({ name }) => {
      const row = database.prepare(`SELECT count(*) AS rows FROM "${name}"`).get() as { rows: number }
      return [name, row.rows]
    })
  } finally {
    database.close()
  }
}
