import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hash } from 'bcryptjs'
import type { DiscoOptions, DiscoServer } from './disco.ts'
import type { Scene } from './scene.ts'

export interface Guard {
  /** User to password. */
  readonly users: Readonly<Record<string, string>>
  /** @default false */
  readonly anonymousPull?: boolean
  readonly access?: readonly { readonly repository: readonly string[]; readonly users: readonly string[]; readonly actions: readonly string[] }[]
}

/** Starts a server that asks for passwords. */
export async function guardedDisco(scene: Scene, name: string, guard: Guard, options: Omit<DiscoOptions, 'data'> = {}): Promise<DiscoServer> {
  const [passwords, config] = [join(scene.directory, `${name}.htpasswd`), join(scene.directory, `${name}.json`)]
  const lines = await Promise.all(Object.entries(guard.users).map(async ([user, password]) => `${user}:${await hash(password, 5)}\n`))
  await writeFile(passwords, lines.join(''))
  const { anonymousPull = false, access } = guard
  // JSON is YAML.
  const settings = { auth: { htpasswd: { realm: name, path: passwords } }, disco: { anonymouspull: anonymousPull }, ...(access === undefined ? {} : { access }) }
  await writeFile(config, JSON.stringify({ version: '0.1', log: { level: 'debug' }, ...settings }))
  return await scene.disco(name, { ...options, args: ['--config', config, ...(options.args ?? [])] })
}
