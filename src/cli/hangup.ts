import type { Config } from '../config/options.ts'
import type { Logger } from '../telemetry/logger.ts'

/** SIGHUP, which systemd, logrotate and operators send to have files read again, ends nothing: from the beginning. */
export function outliveHangup(): void {
  process.on('SIGHUP', () => {})
}

/** SIGHUP has files read again. */
export function onHangup({ tlsCertificate, tlsKey, tlsClientCas }: Config, log: Logger, reload: () => void): void {
  const files = [tlsCertificate, tlsKey, ...tlsClientCas].filter((file) => file !== undefined)
  process.on('SIGHUP', () => {
    reload()
    if (files.length > 0) log.info({ files }, 'SIGHUP: read again')
    else log.info({}, 'SIGHUP: there is nothing to read again')
  })
}
