import { destination, pino, stdSerializers, type SerializedError } from 'pino'
import type { Logger } from './logger.ts'
import { reasonOf } from './reason.ts'
import { requestScope } from './request-scope.ts'
import { writeForPeople } from './text-lines.ts'

export interface LogOptions {
  readonly logLevel: string
  /** @default text for a person at a terminal, JSON for everything else */
  readonly logFormatter?: 'text' | 'json' | undefined
  /** Said in every line. */
  readonly logFields?: Readonly<Record<string, string>> | undefined
}

/** Logs to stderr: lines of text, or lines of JSON. */
export function createLogger({ logLevel: level, logFormatter: formatter, logFields: base = {} }: LogOptions): Logger {
  const options = { level, base, mixin: scopeOf, serializers: { err: serializeError } }
  const text = formatter === undefined ? process.stderr.isTTY : formatter === 'text'
  return text ? pino(options, writeForPeople(process.stderr)) : pino(options, destination({ dest: 2, sync: false }))
}

/** As pino does, but with what an error and its cause both say said once. */
function serializeError(error: Error): SerializedError | Error {
  const serialized = stdSerializers.err(error)
  return error instanceof Error ? Object.assign(serialized, { message: reasonOf(error) }) : serialized
}

function scopeOf(): object {
  const scope = requestScope.getStore()
  return scope === undefined ? {} : { id: scope.id }
}

/** For programs that bring none. */
export function silentLogger(): Logger {
  return pino({ enabled: false })
}
