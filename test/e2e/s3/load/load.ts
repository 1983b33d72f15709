import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { pushAttempt, type PushAttempt } from '../../../crash/push-attempt.ts'
import { randomImage, type RandomImage } from '../../../crash/random-image.ts'
import { pushImage } from '../../harness/push-image.ts'
import { OCI_MANIFEST, digestOf, expectStatus, hexOf, type RegistryClient } from '../../harness/registry-client.ts'
import { until } from '../../harness/until.ts'
import { assertComplete } from '../../harness/verify.ts'
import type { Figures } from './figures.ts'
import type { PatientClient } from './patient-client.ts'
import { pushPatiently } from './push.ts'
import { TagHistory, type TagValue } from './tag-history.ts'

export const MOVED = 'moving/app'
export const DELETED = 'deleted/app'
const TAGS = ['a', 'b', 'c', 'd'] as const
/** Until a clone has all of its names: longer than the locks of one who died. */
const LANDING_MS = 60_000
/** One in so many pushes is given up on the way. */
const GIVEN_UP = 8

export interface KnownImage {
  readonly cid: string
  readonly digest: string
  /** A name that stays. */
  readonly tagged?: { readonly name: string; readonly tag: string }
}

/** What all clients together do, and what they were told. */
export class Load {
  readonly acknowledged: KnownImage[] = []
  /** Pushes whose clients went away before they had an answer. */
  readonly givenUp: PushAttempt[] = []
  readonly tags: ReadonlyMap<string, TagHistory> = new Map(TAGS.map((tag) => [tag, new TagHistory()]))
  /** References in `DELETED`. */
  readonly deleted: string[] = []
  readonly #all: PatientClient
  readonly #each: readonly PatientClient[]
  readonly #origin: RegistryClient
  readonly #figures: Figures
  readonly #stop: AbortSignal
  readonly #pushing = new Set<PushAttempt>()
  readonly #movable: RandomImage[] = []

  /** @param clients of the proxy, of each server, and of one outside */
  constructor(clients: { readonly all: PatientClient; readonly each: readonly PatientClient[]; readonly origin: RegistryClient }, figures: Figures, stop: AbortSignal) {
    this.#all = clients.all
    this.#each = clients.each
    this.#origin = clients.origin
    this.#figures = figures
    this.#stop = stop
  }

  /** Until it is told to stop, and what is under way has come to its end. @throws what was not as promised */
  async run(): Promise<void> {
    for (let number = 0; number < 5; number++) {
      const image = randomImage(`moved ${number}`)
      await pushPatiently(this.#all, pushAttempt(MOVED, `kept-${number}`, image))
      this.#movable.push(image)
    }
    await Promise.all([
      ...[0, 1, 2].map((pusher) => this.#again(1000, (turn) => this.#push(pusher, turn))),
      ...[0, 1].map(() => this.#again(200, () => this.#move())),
      this.#again(200, () => this.#readTag()),
      this.#again(400, (turn) => this.#delete(turn)),
      ...[0, 1, 2].map(() => this.#again(200, () => this.#pull())),
      this.#again(200, () => this.#lookAtPushes()),
      this.#again(6000, (turn) => this.#clone(turn)),
    ])
  }

  async #again(pause: number, work: (turn: number) => Promise<void>): Promise<void> {
    for (let turn = 0; !this.#stop.aborted; turn++) {
      await work(turn)
      await sleep(randomInt(1, pause), undefined, { signal: this.#stop }).catch(() => {})
    }
  }

  async #push(pusher: number, turn: number): Promise<void> {
    const tag = turn % 2 === 0 ? 'latest' : `v${turn}`
    // Several pieces of the bucket's now and then.
    const image = randomImage(`load ${pusher} ${turn}`, turn % 10 === 9 ? 25_000_000 : 3_000_000)
    const attempt = pushAttempt(`load/${pusher}-${turn % 7}`, tag, image)
    this.#pushing.add(attempt)
    try {
      if (turn % GIVEN_UP === 5) return await this.#pushAndGoAway(attempt)
      const cid = await pushPatiently(this.#all, attempt)
      this.#figures.count('pushes')
      const known = { cid, digest: image.digest }
      this.acknowledged.push(tag === 'latest' ? known : { ...known, tagged: { name: attempt.name, tag } })
    } finally {
      this.#pushing.delete(attempt)
    }
  }

  async #pushAndGoAway(attempt: PushAttempt): Promise<void> {
    const signal = AbortSignal.timeout(randomInt(50, 1500))
    try {
      await pushPatiently(this.#all, attempt, signal)
    } catch (error) {
      if (!signal.aborted) throw error
      this.#figures.count('pushes given up')
    }
    this.givenUp.push(attempt)
  }

  async #move(): Promise<void> {
    const tag = TAGS[randomInt(TAGS.length)] ?? assert.fail()
    const image = this.#movable[randomInt(this.#movable.length + 1)]
    const history = this.tags.get(tag) ?? assert.fail()
    await this.#all.persist(() => history.during(image?.digest, async () => {
      if (image !== undefined) expectStatus(await this.#all.putManifest(MOVED, tag, image.manifest), 201)
      else expectStatus(await this.#all.request('DELETE', `/v2/${MOVED}/manifests/${tag}`), 202, 404)
    }))
    this.#figures.count('tags moved')
  }

  async #readTag(): Promise<void> {
    const tag = TAGS[randomInt(TAGS.length)] ?? assert.fail()
    await this.assertTag(this.#all, tag)
    this.#figures.count('tags read')
  }

  /** Asserts that a tag is what it may be. @returns what it is */
  async assertTag(client: RegistryClient, tag: string): Promise<TagValue> {
    const begun = performance.now()
    const answer = expectStatus(await client.manifest(MOVED, tag), 200, 404)
    const found = answer.status === 200 ? digestOf(answer.bytes) : undefined
    const possible = this.tags.get(tag)?.possible(begun, performance.now())
    assert.ok(possible?.has(found), `${client.url}: ${MOVED}:${tag} is ${found}, and may be ${[...(possible ?? [])].join(' or ')}`)
    return found
  }

  /** A manifest, which goes by its tag or by its digest, and must not come back. */
  async #delete(turn: number): Promise<void> {
    const config = Buffer.from('{}')
    const descriptor = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(config), size: config.length }
    const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config: descriptor, layers: [], annotations: { turn: String(turn) } }))
    const reference = turn % 2 === 0 ? `t${turn}` : digestOf(manifest)
    await this.#all.persist(async () => {
      if ((await this.#all.request('HEAD', `/v2/${DELETED}/blobs/${descriptor.digest}`)).status === 404) await this.#all.finishUpload(await this.#all.startUpload(DELETED), descriptor.digest, config)
      expectStatus(await this.#all.putManifest(DELETED, `t${turn}`, manifest), 201)
    })
    // What had no answer may have been done.
    await this.#all.persist(async (tried) => expectStatus(await this.#all.request('DELETE', `/v2/${DELETED}/manifests/${reference}`), 202, ...(tried > 1 ? [404] : [])))
    this.deleted.push(`t${turn}`, ...(turn % 2 === 0 ? [] : [reference]))
    this.#figures.count('deletes')
    const gone = this.deleted[randomInt(this.deleted.length)] ?? assert.fail()
    assert.equal((await this.#all.manifest(DELETED, gone)).status, 404, `${gone} came back`)
  }

  async #pull(): Promise<void> {
    const image = this.acknowledged[randomInt(Math.max(1, this.acknowledged.length))]
    if (image === undefined) return
    const { cid, digest, tagged } = image
    const ways = [[cid, 'latest'], [cid, digest], [hexOf(digest), cid], ...(tagged === undefined ? [] : [[tagged.name, tagged.tag]])] as const
    const [name = '', reference = ''] = ways[randomInt(ways.length)] ?? []
    await assertComplete(this.#all, name, reference, digest)
    this.#figures.count('pulls')
  }

  /** Of an image that is on its way, whatever answers is whole. */
  async #lookAtPushes(): Promise<void> {
    for (const { image: { digest }, name, tag } of this.#pushing) {
      const hex = hexOf(digest)
      for (const [where, reference] of [[hex, digest], [name, tag]] as const) {
        const answer = expectStatus(await this.#all.manifest(where, reference), 200, 404)
        if (answer.status === 404 || digestOf(answer.bytes) !== digest) continue
        await assertComplete(this.#all, where, digest, digest)
        this.#figures.count('pushes seen')
      }
    }
  }

  /** An image of somebody else's, which all are asked for at once. */
  async #clone(turn: number): Promise<void> {
    const { cid, digest } = await pushImage(this.#origin, `outside/${turn}`, { seed: `outside ${turn}`, sizes: [randomInt(1000, 8_000_000), 20_000] })
    await Promise.all([this.#all, ...this.#each].map((client) => assertComplete(client, cid, 'latest', digest)))
    // The last byte may come before the clone has been stored; and who stored it may have died with the lock.
    await until(async () => (await this.#all.tags(hexOf(digest)))?.includes(cid) === true, { what: `${cid} has landed`, timeout: LANDING_MS })
    this.acknowledged.push({ cid, digest })
    this.#figures.count('clones')
  }
}
