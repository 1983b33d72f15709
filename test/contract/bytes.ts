import type { ObjectStore } from '../../src/storage/object-store.ts'

export function text(value: string): Buffer {
  return Buffer.from(value)
}

/** As a Buffer, so that deepEqual compares bytes and not classes. */
export function bytes(value: Uint8Array | undefined): Buffer {
  if (value === undefined) throw new Error('nothing there')
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

/** Bytes that differ from chunk to chunk and are the same in every run. */
export function fill(size: number, seed = 1): Uint8Array {
  const data = new Uint8Array(size)
  let state = seed
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    data[i] = state >>> 24
  }
  return data
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of source) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

export async function listAll(store: ObjectStore, directory: string, limit: number): Promise<string[]> {
  const names: string[] = []
  for (;;) {
    const page = await store.list(directory, { limit, after: names.at(-1) })
    names.push(...page)
    if (page.length < limit) return names
  }
}
