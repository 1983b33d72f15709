/** What this room tells whoever runs the registry: a part of the logger. Never given a credential. */
export interface Notes {
  info(fields: Readonly<Record<string, unknown>>, message: string): void
  warn(fields: Readonly<Record<string, unknown>>, message: string): void
  error(fields: Readonly<Record<string, unknown>>, message: string): void
}
