import type { Client } from './client.ts'
import type { Asker } from './reception.ts'

/** From the process that let a client in to the one that has the network. Believed on the socket between them alone. */
export const PASSED_ON = 'x-disco-passed-on'

/** Who asked another process of this registry. */
export interface PassedOn {
  /** Of the request, as in the log over there. */
  readonly id: string
  readonly client: Client
  readonly user: string | undefined
}

export function writePassedOn({ id, client, identity: { user } }: Pick<Asker, 'id' | 'client' | 'identity'>): string {
  return Buffer.from(JSON.stringify({ id, client, user } satisfies PassedOn)).toString('base64url')
}

/** Undefined where nothing is told that can be understood. */
export function readPassedOn(header: string | readonly string[] | undefined): PassedOn | undefined {
  if (typeof header !== 'string') return undefined
  try {
    return JSON.parse(Buffer.from(header, 'base64url').toString()) as PassedOn
  } catch {
    return undefined
  }
}
