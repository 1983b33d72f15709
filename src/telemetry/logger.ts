import type { Logger as PinoLogger } from 'pino'

/** Injected and named by room: `log.child({ name: 'ipfs' })`. Never given a credential. */
export type Logger = Pick<PinoLogger, 'debug' | 'info' | 'warn' | 'error'> & Partial<Pick<PinoLogger, 'isLevelEnabled'>> & { child(bindings: Record<string, unknown>): Logger }
