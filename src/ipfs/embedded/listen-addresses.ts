import { createServer } from 'node:net'
import { DEFAULT_LISTEN } from './network-options.ts'

/**
 * The addresses to listen on: those that were given as they are, or the default ones, on a free port where somebody
 * (a Kubo, another Disco) has theirs.
 */
export async function listenAddresses(given: readonly string[] | undefined): Promise<readonly string[]> {
  if (given !== undefined) return given
  return Promise.all(DEFAULT_LISTEN.map(async (address) => ((await isFree(address)) ? address : address.replace(/\d+$/, '0'))))
}

function isFree(address: string): Promise<boolean> {
  const [, family, host, , port] = address.split('/')
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'EADDRINUSE'))
    server.listen({ host, port: Number(port), ipv6Only: family === 'ip6' }, () => server.close(() => resolve(true)))
  })
}
