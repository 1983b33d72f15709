import { hash } from 'node:crypto'
import type { Case } from './case.ts'

const MANY = 10_000
const FEW = 200
const PAGE = 100
/** Pages of one list that are timed; the median counts. */
const TIMES = 101
const CONNECTIONS = 16
const TAGS_AT_ONCE = 100
const INDEX = 'application/vnd.oci.image.index.v1+json'
const SUBJECT = { mediaType: INDEX, digest: `sha256:${'0'.repeat(64)}`, size: 1 }

/** How much longer a page takes where the list is fifty times as long: 1 where it costs what is on it. */
export const lists: Case = {
  name: 'lists',
  peers: ['disco'],
  metrics: {
    tags: { title: `Page of ${PAGE} of ${MANY} tags, against one of ${FEW}`, unit: '×', digits: 2, goals: [{ atMost: 2 }] },
    catalog: { title: `Page of ${PAGE} of ${MANY} repositories, against one of ${FEW}`, unit: '×', digits: 2, goals: [{ atMost: 2 }] },
    referrers: { title: `Page of ${PAGE} of ${MANY} referrers of one manifest, against one of ${FEW}`, unit: '×', digits: 2, goals: [{ atMost: 2 }] },
  },
  async run({ start }) {
    const few = await pageTimes((await start()).port, FEW)
    const many = await pageTimes((await start()).port, MANY)
    return { tags: many.tags / few.tags, catalog: many.catalog / few.catalog, referrers: many.referrers / few.referrers }
  },
}

/** Fills the lists and times a page in the middle of each, in milliseconds. */
async function pageTimes(port: number, count: number): Promise<Record<'tags' | 'catalog' | 'referrers', number>> {
  const base = `http://127.0.0.1:${port}/v2/`
  const put = async (path: string, manifest: object): Promise<void> => {
    const response = await fetch(base + path, { method: 'PUT', headers: { 'Content-Type': INDEX }, body: JSON.stringify(manifest) })
    await response.arrayBuffer()
    if (response.status !== 201) throw new Error(`${path}: ${response.status}`)
  }
  const index = { schemaVersion: 2, mediaType: INDEX, manifests: [] }
  const digest = `sha256:${hash('sha256', JSON.stringify(index))}`
  await repeat(count / TAGS_AT_ONCE, (at) => {
    const tags = Array.from({ length: TAGS_AT_ONCE }, (_, tag) => `tag=t${at * TAGS_AT_ONCE + tag}`)
    return put(`tags/manifests/${digest}?${tags.join('&')}`, index)
  })
  await repeat(count, (at) => put(`repositories/r${at}/manifests/v1`, index))
  await repeat(count, (at) => put(`referrers/manifests/v${at}`, { ...index, subject: SUBJECT, annotations: { seed: String(at) } }))
  return {
    tags: await median(`${base}tags/tags/list?n=${PAGE}&last=t10`),
    catalog: await median(`${base}_catalog?n=${PAGE}&last=repositories/r10`),
    referrers: await median(`${base}referrers/referrers/${SUBJECT.digest}?n=${PAGE}`),
  }
}

async function repeat(count: number, work: (at: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    while (next < count) await work(next++)
  }))
}

async function median(url: string): Promise<number> {
  const times: number[] = []
  for (let count = 0; count < TIMES; count++) {
    const began = performance.now()
    const response = await fetch(url)
    const body = await response.text()
    times.push(performance.now() - began)
    if (response.status !== 200 || body.length < PAGE) throw new Error(`${url}: ${response.status}`)
  }
  return times.sort((a, b) => a - b)[Math.floor(TIMES / 2)] ?? Infinity
}
