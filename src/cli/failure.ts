import { ConfigError } from '../config/problem.ts'

/** The lines that a person reads when a command can't do its work; no stack, unless they are about to report a fault of ours. */
export function failureLines(error: unknown): string[] {
  if (error instanceof ConfigError) return [...error.warnings, ...error.problems.map(({ where, reason }) => `${where}: ${reason}`)]
  if (!(error instanceof Error)) return [String(error)]
  if (error.name === 'UnsupportedListenAddressesError') return listenLines(error.message)
  const { code, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number }
  switch (code) {
    case 'EADDRINUSE':
      return [`port ${port} is in use on ${address}: stop what listens there, or name another by --port`]
    case 'EACCES':
      if (port !== undefined) return [`may not listen on port ${port}: name one above 1023 by --port`]
      break
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return [`cannot listen on ${address ?? 'this host'}: it is no address of this machine; name another by --host`]
    case undefined:
    default:
  }
  return [error.message]
}

/** libp2p names each address with the stack of its failure, below advice for programmers. */
function listenLines(message: string): string[] {
  const failures = [...message.matchAll(/^\s*(\/\S+): (?:\w*Error: )?(?:listen )?(.+)$/gm)]
  if (failures.length === 0) return ['--listen: none of the addresses can be listened on']
  return failures.map(([, address, reason]) => `--listen: cannot listen on ${address}: ${reason}`)
}

/** Prints why and ends the process with exit code 1: what had begun must not keep it. */
export function fail(error: unknown): never {
  for (const line of failureLines(error)) console.error(`disco: ${line}`)
  process.exit(1)
}
