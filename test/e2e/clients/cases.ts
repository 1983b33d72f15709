import assert from 'node:assert/strict'
import { hexOf } from '../harness/registry-client.ts'
import type { Bench, Client, LocalImage, OwnCase, Session, Skill } from './client.ts'

export interface SharedImages {
  readonly layers: LocalImage
  readonly large: LocalImage
}

export interface CaseContext {
  readonly client: Client
  readonly session: Session
  readonly bench: Bench
  readonly images: SharedImages
  /** A repository of the second registry, which fetches from the first one's gateway. */
  elsewhere(name: string): string
}

export type Case = (context: CaseContext) => Promise<void>

export const CASES: Readonly<Record<Skill, Case>> = {
  image: async ({ session, bench }) => pushAndPull(session, bench.repository('image'), await bench.image()),
  index: async ({ session, bench }) => pushAndPull(session, bench.repository('index'), await bench.image(['amd64', 'arm64'])),
  layers: ({ session, bench, images }) => pushAndPullOnce(session, bench.repository('layers'), images.layers),
  large: ({ session, bench, images }) => pushAndPullOnce(session, bench.repository('large'), images.large),

  copy: async ({ session, bench, elsewhere }) => {
    const here = bench.repository('copy')
    // Clients run beside each other: each copies to a name of its own.
    const there = elsewhere(nameOf(here))
    const digest = await session.push(await bench.image(['amd64', 'arm64']), `${here}:v1`)
    await session.copy?.(`${here}@${digest}`, `${there}:v2`)
    await session.pull(`${there}:v2`, digest)
  },

  referrers: async ({ session, bench }) => {
    const repository = bench.repository('referrers')
    const digest = await session.push(await bench.image(), `${repository}:v1`)
    const attached = await session.attach?.(`${repository}@${digest}`)
    assert.match(attached ?? '', /^sha256:[0-9a-f]{64}$/)
    assert.deepEqual(await session.attached?.(`${repository}@${digest}`), [attached])
    const name = nameOf(repository)
    assert.deepEqual(await (await bench.registry(name)).referrers(name, digest), [attached])
  },

  cid: async ({ client, session, bench, elsewhere }) => {
    const image = await bench.image(client.cannot.index === undefined ? ['amd64', 'arm64'] : ['amd64'])
    const digest = await session.push(image, `${bench.repository('way')}:${client.wayTag ?? 'latest'}`)
    const cid = await learnCid(session, bench, digest)
    if (client.pullsCidBy !== 'digest') await session.pull(`${elsewhere(cid)}:latest`, digest)
    await session.pull(`${elsewhere(cid)}@${digest}`, digest)
  },

  refusal: async ({ session, bench }) => {
    const digest = await session.push(await bench.image(), `${bench.repository('mine')}:v1`)
    for (const name of [await learnCid(session, bench, digest), hexOf(digest)]) {
      await assert.rejects(session.push(await bench.image(), `${bench.host}/${name}:latest`), /denied|403 Forbidden|can only be pulled/i)
    }
  },
}

/** `<name>` of `<host>/<name>`. */
export function nameOf(repository: string): string {
  return repository.slice(repository.indexOf('/') + 1)
}

async function pushAndPull(session: Session, repository: string, image: LocalImage): Promise<void> {
  const digest = await session.push(image, `${repository}:v1`)
  await session.pull(`${repository}:v1`, digest)
  await session.pull(`${repository}@${digest}`, digest)
}

async function pushAndPullOnce(session: Session, repository: string, image: LocalImage): Promise<void> {
  const digest = await session.push(image, `${repository}:v1`)
  await session.pull(`${repository}@${digest}`, digest)
}

/** A client that prints what the registry has to say of a push. */
interface Teller extends Session {
  /** Pushes, and gives all that it printed. */
  told(image: LocalImage, reference: string): Promise<string>
}

/** distribution-spec: the `Warning` of an answer, which "Clients SHOULD" show. */
export const tellsCid: OwnCase<Teller> = {
  run: async (session, bench) => {
    const image = await bench.image()
    const told = await session.told(image, `${bench.repository('told')}:latest`)
    assert.equal(/:latest is now (\w+)/.exec(told)?.[1], await learnCid(session, bench, image.digest), told)
  },
}

/** By the client itself where it can list tags. */
async function learnCid(session: Session, bench: Bench, digest: string): Promise<string> {
  const tags = (await session.tags?.(`${bench.host}/${hexOf(digest)}`)) ?? (await (await bench.registry(hexOf(digest))).tags(hexOf(digest)))
  return tags?.find((tag) => /^bafybei[a-z2-7]{52}$/.test(tag)) ?? assert.fail(`no CID among ${tags?.join()}`)
}
