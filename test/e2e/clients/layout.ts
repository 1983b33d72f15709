import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../harness/command.ts'
import { digestOf, hexOf } from '../harness/registry-client.ts'
import type { LocalImage } from './client.ts'
import { newDirectory, type Place } from './place.ts'

interface Node {
  readonly manifests?: readonly Descriptor[]
  readonly config?: Descriptor
  readonly layers?: readonly Descriptor[]
}

interface Descriptor {
  readonly digest: string
  readonly size: number
}

/** Asserts that an OCI layout names the digest, and has every byte of what that names. */
export async function assertInLayout(layout: string, digest: string): Promise<void> {
  const { manifests = [] } = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as Node
  assert.ok(manifests.some((entry) => entry.digest === digest), `${layout}: ${JSON.stringify(manifests)} without ${digest}`)
  await assertNode(layout, digest)
}

async function assertNode(layout: string, digest: string): Promise<void> {
  const node = JSON.parse((await blob(layout, digest)).toString()) as Node
  for (const child of node.manifests ?? []) await assertNode(layout, child.digest)
  for (const part of [...(node.config === undefined ? [] : [node.config]), ...(node.layers ?? [])]) {
    assert.equal((await blob(layout, part.digest)).length, part.size)
  }
}

async function blob(layout: string, digest: string): Promise<Buffer> {
  const bytes = await readFile(join(layout, 'blobs/sha256', hexOf(digest)))
  assert.equal(digestOf(bytes), digest)
  return bytes
}

/** An archive of the image, an index with all its platforms, that loads as `name`. */
export async function ociArchive(place: Place, { layout, tag }: LocalImage, name: string): Promise<string> {
  const archive = join(await newDirectory(place), 'archive')
  await run('skopeo', ['copy', '-q', '--all', '--preserve-digests', `oci:${layout}:${tag}`, `oci-archive:${archive}:${name}`])
  return archive
}
