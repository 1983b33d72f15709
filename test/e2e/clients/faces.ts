import type { Skill } from './client.ts'

/** How a registry meets its clients. */
export interface Face {
  /** As docs/clients.md calls it. */
  readonly name: string
  readonly tls: boolean
  /** `own-token`: passwords in a file, and tokens of Disco's own, as there is something for everybody. */
  readonly auth: 'none' | 'htpasswd' | 'own-token' | 'token'
  /** Whether the images of many layers and of a large one go over it too. */
  readonly heavy: boolean
}

export const HEAVY: ReadonlySet<Skill> = new Set(['layers', 'large'])

export const FACES: readonly Face[] = [
  { name: 'plain HTTP', tls: false, auth: 'none', heavy: true },
  { name: 'HTTPS', tls: true, auth: 'none', heavy: false },
  { name: 'plain HTTP with passwords (htpasswd)', tls: false, auth: 'htpasswd', heavy: false },
  { name: 'HTTPS with passwords (htpasswd)', tls: true, auth: 'htpasswd', heavy: true },
  { name: 'HTTPS with passwords and anonymous pull (tokens of Disco)', tls: true, auth: 'own-token', heavy: false },
  { name: 'HTTPS with tokens of another server', tls: true, auth: 'token', heavy: false },
]
