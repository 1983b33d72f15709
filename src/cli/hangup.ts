import cluster from 'node:cluster'

/** SIGHUP has files read again, here and in the workers. Without something to read, it ends the process as it does everywhere. */
export function onHangup(reload: () => void): void {
  process.on('SIGHUP', () => {
    reload()
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGHUP')
  })
}
