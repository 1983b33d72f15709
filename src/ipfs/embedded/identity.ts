import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

const FILE = 'identity.key'

/**
 * The node's private key (Ed25519), made once and kept in `directory`. Processes that start at the same time get the
 * same key; a crash leaves the whole key or none.
 */
export async function loadIdentity(directory: string): Promise<PrivateKey> {
  const path = join(directory, FILE)
  return (await readKey(path)) ?? (await createKey(directory, path))
}

async function readKey(path: string): Promise<PrivateKey | undefined> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    return privateKeyFromProtobuf(bytes)
  } catch (cause) {
    throw new Error(`${path} is not a libp2p private key`, { cause })
  }
}

async function createKey(directory: string, path: string): Promise<PrivateKey> {
  await mkdir(directory, { recursive: true })
  const key = await generateKeyPair('Ed25519')
  const draft = `${path}.${randomUUID()}`
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(privateKeyToProtobuf(key))
      await file.sync()
    } finally {
      await file.close()
    }
    // A link, unlike a rename, fails when another process was first.
    await link(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await rm(draft, { force: true })
  }
  await syncDirectory(directory)
  const kept = await readKey(path)
  if (kept === undefined) throw new Error(`${path} vanished while it was made`)
  return kept
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
