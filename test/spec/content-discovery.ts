import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CONFIG, IMAGE, INDEX, content, descriptor, nextPage, randomContent, type Content, type ImageOptions, type Repository } from './client.ts'

const SBOM = 'application/vnd.example.sbom.v1'

export function contentDiscoverySuite(repository: () => Repository): void {
  describe('§Listing Tags', () => {
    async function tagged(...tags: readonly string[]): Promise<Repository> {
      const there = repository()
      const image = await there.image()
      for (const tag of tags) assert.equal((await there.putManifest(image, tag)).status, 201)
      return there
    }

    it('assuming a repository is found, this request MUST return a 200 OK, a JSON body, and the tags MUST be in order', async () => {
      const there = await tagged('b', 'A', 'a', '10', '9', 'a-b', 'a.b', 'a_b')
      const { status, headers, bytes } = await there.ask('tags/list')
      assert.equal(status, 200)
      assert.match(headers.get('content-type') ?? '', /^application\/json/)
      assert.deepEqual(JSON.parse(bytes.toString()), { name: there.name, tags: ['10', '9', 'A', 'a', 'a-b', 'a.b', 'a_b', 'b'] })
    })

    it('the list of tags MAY be empty if there are no tags on the repository', async () => {
      const there = repository()
      await there.pushImage(undefined)
      assert.deepEqual((await there.tags()).tags, [])
    })

    it('the response MUST include <int> results, or fewer with a Link header, which MUST be of RFC 5988 with rel="next"', async () => {
      const there = await tagged('a', 'b', 'c', 'd', 'e')
      const first = await there.tags('?n=2')
      assert.deepEqual(first.tags, ['a', 'b'])
      const second = await there.ask(nextPage(first.link))
      assert.deepEqual((JSON.parse(second.bytes.toString()) as { tags: string[] }).tags, ['c', 'd'])
      const third = await there.ask(nextPage(second.headers.get('link')))
      assert.deepEqual((JSON.parse(third.bytes.toString()) as { tags: string[] }).tags, ['e'])
      assert.equal(third.headers.get('link'), null)
      assert.deepEqual(await there.tags('?n=5'), { tags: ['a', 'b', 'c', 'd', 'e'], link: null })
    })

    it('when n is zero, this endpoint MUST return an empty list, and MUST NOT include a Link header', async () => {
      assert.deepEqual(await (await tagged('a')).tags('?n=0'), { tags: [], link: null })
    })

    it('the last parameter is a tag, not included in the results; n is OPTIONAL with it', async () => {
      const there = await tagged('a', 'b', 'c', 'd')
      assert.deepEqual((await there.tags('?n=1&last=b')).tags, ['c'])
      assert.deepEqual((await there.tags('?last=b')).tags, ['c', 'd'])
      assert.deepEqual((await there.tags('?last=bb')).tags, ['c', 'd'])
      assert.deepEqual((await there.tags('?last=d')).tags, [])
    })
  })

  describe('§Pushing Manifests with Subject', () => {
    it('a registry MUST initially accept an otherwise valid manifest with a subject that does not exist, and MUST respond with OCI-Subject', async () => {
      const there = repository()
      const subject = randomContent()
      for (const referrer of [await there.image({ more: { subject: descriptor(IMAGE, subject) } })]) {
        for (const reference of [referrer.digest, 'signature']) {
          const answer = await there.putManifest(referrer, reference)
          assert.equal(answer.status, 201)
          assert.equal(answer.headers.get('oci-subject'), subject.digest)
        }
      }
    })
  })

  describe('§Listing Referrers', () => {
    async function referring(there: Repository, subject: Content, options: ImageOptions = {}): Promise<Content> {
      return await there.pushImage(undefined, { ...options, more: { ...options.more, subject: descriptor(IMAGE, subject) } })
    }

    it('MUST return a 200 OK, MUST NOT return a 404, and an empty manifest list MUST be returned where there are none', async () => {
      const there = repository()
      for (const { digest } of [randomContent(), randomContent(1, 'sha512'), await there.pushImage('v1')]) {
        const { status, headers, bytes } = await there.ask(`referrers/${digest}`)
        assert.equal(status, 200)
        assert.equal(headers.get('content-type'), INDEX)
        assert.deepEqual(JSON.parse(bytes.toString()), { schemaVersion: 2, mediaType: INDEX, manifests: [] })
      }
    })

    it('if the request is invalid, such as a <digest> with an invalid syntax, a 400 Bad Request MUST be returned', async () => {
      for (const digest of ['x', 'sha256:x', 'latest']) assert.equal((await repository().ask(`referrers/${digest}`)).status, 400, digest)
    })

    it('each descriptor is of a manifest in the same <name> with that subject, pushed before it or after it', async () => {
      const [there, elsewhere] = [repository(), repository()]
      const subject = await there.image()
      const before = await referring(there, subject)
      await there.putManifest(subject, 'v1')
      const after = await referring(there, subject)
      await referring(there, randomContent())
      await referring(elsewhere, subject)
      const { headers, manifests } = await there.referrers(subject.digest)
      assert.equal(headers.get('content-type'), INDEX)
      assert.deepEqual(manifests.map(({ digest }) => digest).toSorted(), [before.digest, after.digest].toSorted())
      for (const { mediaType, size } of manifests) {
        assert.equal(mediaType, IMAGE)
        assert.ok(size === before.bytes.length || size === after.bytes.length)
      }
    })

    it('the descriptors MUST include the artifactType of the manifest; where it is empty or missing, the config\'s mediaType', async () => {
      const there = repository()
      const subject = await there.pushImage('v1')
      await referring(there, subject, { more: { artifactType: SBOM } })
      const configType = 'application/vnd.example.config'
      await referring(there, subject, { configType })
      await referring(there, subject, { configType, more: { artifactType: '' } })
      const { manifests } = await there.referrers(subject.digest)
      assert.deepEqual(manifests.map(({ artifactType }) => artifactType).toSorted(), [configType, configType, SBOM])
    })

    it('an index refers too; where its artifactType is empty or missing, it MUST be omitted', async () => {
      const there = repository()
      const subject = await there.pushImage('v1')
      const child = await there.pushImage(undefined)
      const plain = await there.pushIndex(undefined, [child], { subject: descriptor(IMAGE, subject) })
      const typed = await there.pushIndex(undefined, [child], { subject: descriptor(IMAGE, subject), artifactType: SBOM })
      const { manifests } = await there.referrers(subject.digest)
      assert.deepEqual(new Map(manifests.map(({ digest, mediaType, artifactType }) => [digest, [mediaType, artifactType]])), new Map([
        [plain.digest, [INDEX, undefined]],
        [typed.digest, [INDEX, SBOM]],
      ].toSorted(([a], [b]) => (manifests.findIndex(({ digest }) => digest === a) - manifests.findIndex(({ digest }) => digest === b))) as [string, unknown[]][]))
      assert.ok(manifests.every((manifest) => manifest['digest'] === typed.digest || !('artifactType' in manifest)))
    })

    it('the descriptors MUST include annotations from the manifest or index', async () => {
      const there = repository()
      const subject = await there.pushImage('v1')
      const annotations = { 'org.opencontainers.image.created': '2022-01-01T14:42:55Z', 'org.example.sbom.format': 'json' }
      await referring(there, subject, { more: { annotations } })
      assert.deepEqual((await there.referrers(subject.digest)).manifests[0]?.['annotations'], annotations)
    })

    it('subjects and referrers of sha512 are found', async () => {
      const there = repository()
      const subject = await there.image({ algorithm: 'sha512' })
      await there.putManifest(subject, subject.digest)
      const referrer = await there.image({ algorithm: 'sha512', more: { subject: descriptor(IMAGE, subject) } })
      const answer = await there.putManifest(referrer, referrer.digest)
      assert.equal(answer.headers.get('oci-subject'), subject.digest)
      assert.deepEqual((await there.referrers(subject.digest)).manifests.map(({ digest }) => digest), [referrer.digest])
    })

    it('the registry SHOULD support filtering on artifactType, and the response MUST include OCI-Filters-Applied: artifactType', async () => {
      const there = repository()
      const subject = await there.pushImage('v1')
      const wanted = await referring(there, subject, { more: { artifactType: SBOM } })
      await referring(there, subject, { more: { artifactType: 'application/vnd.example.other' } })
      const { headers, manifests } = await there.referrers(subject.digest, `?artifactType=${encodeURIComponent(SBOM)}`)
      assert.equal(headers.get('oci-filters-applied'), 'artifactType')
      assert.deepEqual(manifests.map(({ digest }) => digest), [wanted.digest])
      assert.equal((await there.referrers(subject.digest)).headers.get('oci-filters-applied'), null)
      assert.deepEqual((await there.referrers(subject.digest, '?artifactType=application%2Fvnd.example.none')).manifests, [])
    })

    it('a Link header MUST be included when the list cannot be returned in a single manifest, with different descriptors on each page', async () => {
      const there = repository()
      const subject = await there.pushImage('v1')
      // 4 MiB is what clients must be able to take: ten referrers of more than half a megabyte each do not fit
      const annotations = { filling: 'x'.repeat(600_000) }
      const config = await there.pushBlob(content('{}'))
      const pushed = new Set<string>()
      for (let index = 0; index < 10; index++) {
        const manifest = content(JSON.stringify({
          schemaVersion: 2, mediaType: IMAGE, config: descriptor(CONFIG, config), layers: [],
          subject: descriptor(IMAGE, subject), annotations: { ...annotations, index: String(index) },
        }))
        assert.equal((await there.putManifest(manifest, manifest.digest)).status, 201)
        pushed.add(manifest.digest)
      }
      const found: string[] = []
      let path: string | undefined = `referrers/${subject.digest}`
      for (let pages = 0; path !== undefined && pages < 20; pages++) {
        const answer = await there.ask(path)
        assert.ok(answer.bytes.length <= 4 * 1024 * 1024, `${answer.bytes.length} bytes`)
        found.push(...(JSON.parse(answer.bytes.toString()) as { manifests: { digest: string }[] }).manifests.map(({ digest }) => digest))
        const link = answer.headers.get('link')
        assert.ok(pages > 0 || link !== null, 'one page')
        path = link === null ? undefined : nextPage(link)
      }
      assert.equal(path, undefined)
      assert.equal(found.length, 10)
      assert.deepEqual(new Set(found), pushed)
    })
  })

  describe('§Enabling the Referrers API', () => {
    it('Registries MUST include preexisting image manifests that are listed in an index tagged with the referrers tag schema', async () => {
      const there = repository()
      const subject = await there.pushImage('v1')
      const referrer = await there.pushImage(undefined, { more: { subject: descriptor(IMAGE, subject) } })
      const unrelated = await there.pushImage(undefined)
      await there.pushIndex(subject.digest.replace(':', '-'), [referrer, unrelated])
      assert.deepEqual((await there.referrers(subject.digest)).manifests.map(({ digest }) => digest), [referrer.digest])
    })
  })
}
