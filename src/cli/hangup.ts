import { isatty } from 'node:tty'
import type { Config } from '../config/options.ts'
import type { Logger } from '../telemetry/logger.ts'

const STDERR = 2

/** SIGHUP, which systemd, logrotate and operators send to have files read again, ends nothing: from the beginning. */
export function outliveHangup(): void {
  process.on('SIGHUP', () => {})
}

/** SIGHUP has files read again. It comes from a terminal that is closed, too, which nobody can be told anything on: that is the end. */
export function onHangup({ tlsCertificate, tlsKey, tlsClientCas }: Config, log: Logger, reload: () => void): void {
  const files = [tlsCertificate, tlsKey, ...tlsClientCas].filter((file) => file !== undefined)
  const hasTerminal = isatty(STDERR)
  process.on('SIGHUP', () => {
    if (hasTerminal && !isatty(STDERR)) return void process.kill(process.pid, 'SIGTERM')
    reload()
    if (files.length > 0) log.info({ files }, 'SIGHUP: read again')
    else log.info({}, 'SIGHUP: there is nothing to read again')
  })
}
