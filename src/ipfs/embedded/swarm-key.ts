import { readFile } from 'node:fs/promises'
import { NetworkOptionError } from './network-options.ts'

/** The whole of a key file as Kubo writes it: a version, an encoding, and 32 bytes in hex. */
const SWARM_KEY = /^\/key\/swarm\/psk\/1\.0\.0\/\r?\n\/base16\/\r?\n([0-9a-fA-F]{64})\s*$/

/**
 * The pre-shared key in the form that libp2p takes, from a file's text or from the file at a path.
 *
 * @throws NetworkOptionError when it can't be read or is not in Kubo's format; the key itself is never in the message
 */
export async function loadSwarmKey(key: string | Uint8Array): Promise<Uint8Array> {
  const text = typeof key !== 'string' ? new TextDecoder().decode(key) : key.startsWith('/key/swarm/') ? key : await read(key)
  return parseSwarmKey(text)
}

/** @throws NetworkOptionError when the text of a file is not in Kubo's format */
export function parseSwarmKey(text: string): Uint8Array {
  const hex = SWARM_KEY.exec(text)?.[1]
  if (hex === undefined) {
    throw new NetworkOptionError('the swarm key is not in the format /key/swarm/psk/1.0.0/, /base16/, 64 hex digits (one a line)')
  }
  return new TextEncoder().encode(`/key/swarm/psk/1.0.0/\n/base16/\n${hex.toLowerCase()}`)
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new NetworkOptionError(`the swarm key ${path} cannot be read`, { cause })
  }
}
