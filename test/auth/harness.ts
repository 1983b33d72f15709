import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { hashSync } from 'bcryptjs'
import type { Claim, Scope } from '../../src/auth/authorizer.ts'
import type { Notes } from '../../src/auth/notes.ts'

/** A directory that goes when the test is over. */
export async function scratch(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'disco-auth-'))
  t.after(() => rm(directory, { recursive: true }))
  return directory
}

/** A line of an htpasswd file, at a cost that tests can afford. */
export function entry(user: string, password: string, cost = 4): string {
  return `${user}:${hashSync(password, cost)}\n`
}

export function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}

export function claim(authorization?: string, address = '192.0.2.1'): Claim {
  return { authorization, address, origin: 'https://disco.example:1970' }
}

export function pull(name: string): Scope {
  return { type: 'repository', name, actions: ['pull'] }
}

export function push(name: string): Scope {
  return { type: 'repository', name, actions: ['pull', 'push'] }
}

export const CATALOG: Scope = { type: 'registry', name: 'catalog', actions: ['*'] }

/** Keeps what was noted. */
export function notebook(): Notes & { readonly lines: string[] } {
  const lines: string[] = []
  const note = (fields: object, message: string): void => void lines.push(`${message} ${JSON.stringify(fields)}`)
  return { lines, info: note, warn: note, error: note }
}
