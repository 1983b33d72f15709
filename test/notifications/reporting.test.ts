import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { RegistryEvent } from '../../src/notifications/event.ts'
import { ReportingRegistry } from '../../src/notifications/reporting-registry.ts'
import { digestOf, formatDigest } from '../../src/oci/digest.ts'
import { startFace } from '../http/harness.ts'

interface Watched {
  readonly base: string
  readonly events: RegistryEvent[]
}

async function watch(context: TestContext, includeReferences = false): Promise<Watched> {
  const events: RegistryEvent[] = []
  const sink = { tell: async (event: RegistryEvent) => void events.push(event) }
  const source = { addr: 'here:1970', instanceID: 'instance' }
  const { base } = await startFace(context, (registry) => ({
    policy: { deletes: true },
    authorizer: { authorize: async () => ({ user: 'alice', mayPull: () => true }) },
    registryFor: ({ id, method, client, identity }) => {
      const request = { id, method, addr: client.address, host: new URL(client.origin).host, useragent: client.userAgent }
      return new ReportingRegistry(registry, { request, origin: client.origin, user: identity.user, source, includeReferences }, sink)
    },
  }))
  return { base, events }
}

const config = Buffer.from('{"os":"linux","architecture":"amd64"}')
const configDigest = formatDigest(digestOf(config))
const mediaType = 'application/vnd.oci.image.manifest.v1+json'
const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType,
  config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: configDigest, size: config.length },
  layers: [],
})
const manifestDigest = formatDigest(digestOf(Buffer.from(manifest)))

async function push(base: string): Promise<void> {
  const blob = await fetch(`${base}/v2/a/b/blobs/uploads/?digest=${configDigest}`, { method: 'POST', body: config })
  assert.equal(blob.status, 201)
  const tagged = await fetch(`${base}/v2/a/b/manifests/v1`, { method: 'PUT', body: manifest, headers: { 'Content-Type': mediaType, 'User-Agent': 'pusher/1' } })
  assert.equal(tagged.status, 201)
}

describe('a registry that reports', () => {
  it('tells of blobs and manifests that are pushed, with who, whence and where they are', async (t) => {
    const { base, events } = await watch(t)
    await push(base)
    const [blob, pushed] = events
    assert.equal(events.length, 2)
    assert.deepEqual(blob?.target, {
      mediaType: 'application/octet-stream', digest: configDigest, size: config.length, length: config.length,
      repository: 'a/b', url: `${base}/v2/a/b/blobs/${configDigest}`,
    })
    assert.equal(pushed?.action, 'push')
    assert.deepEqual(pushed.target, {
      mediaType, digest: manifestDigest, size: manifest.length, length: manifest.length,
      repository: 'a/b', url: `${base}/v2/a/b/manifests/${manifestDigest}`, tag: 'v1',
    })
    assert.deepEqual(pushed.actor, { name: 'alice' })
    assert.deepEqual(pushed.source, { addr: 'here:1970', instanceID: 'instance' })
    assert.match(pushed.request.id, /^[0-9a-f]+-/)
    assert.deepEqual({ ...pushed.request, id: '' }, { id: '', method: 'PUT', addr: '127.0.0.1', host: base.slice('http://'.length), useragent: 'pusher/1' })
    assert.equal((await fetch(pushed.target.url ?? '')).status, 200)
  })

  it('tells of what is pulled, and not of what is only asked for', async (t) => {
    const { base, events } = await watch(t)
    await push(base)
    events.length = 0
    for (const path of ['manifests/v1', `manifests/${manifestDigest}`, `blobs/${configDigest}`]) {
      await fetch(`${base}/v2/a/b/${path}`, { method: 'HEAD' })
      await (await fetch(`${base}/v2/a/b/${path}`)).arrayBuffer()
    }
    assert.deepEqual(events.map(({ action, target: { digest, tag } }) => ({ action, digest, tag })), [
      { action: 'pull', digest: manifestDigest, tag: 'v1' },
      { action: 'pull', digest: manifestDigest, tag: undefined },
      { action: 'pull', digest: configDigest, tag: undefined },
    ])
  })

  it('tells of what is mounted, and from where', async (t) => {
    const { base, events } = await watch(t)
    await push(base)
    events.length = 0
    const mounted = await fetch(`${base}/v2/c/blobs/uploads/?mount=${configDigest}&from=a/b`, { method: 'POST' })
    assert.equal(mounted.status, 201)
    assert.deepEqual(events.map(({ action, target: { repository, fromRepository, size } }) => ({ action, repository, fromRepository, size })), [
      { action: 'mount', repository: 'c', fromRepository: 'a/b', size: config.length },
    ])
  })

  it('tells of each tag of a push, and of what is deleted', async (t) => {
    const { base, events } = await watch(t)
    await push(base)
    events.length = 0
    const headers = { 'Content-Type': mediaType }
    await fetch(`${base}/v2/a/b/manifests/${manifestDigest}?tag=v2&tag=v3`, { method: 'PUT', body: manifest, headers })
    for (const path of ['manifests/v2', `manifests/${manifestDigest}`, `blobs/${configDigest}`]) {
      assert.equal((await fetch(`${base}/v2/a/b/${path}`, { method: 'DELETE' })).status, 202)
    }
    assert.deepEqual(events.map(({ action, target: { digest, tag } }) => ({ action, digest, tag })), [
      { action: 'push', digest: manifestDigest, tag: 'v2' },
      { action: 'push', digest: manifestDigest, tag: 'v3' },
      { action: 'delete', digest: undefined, tag: 'v2' },
      { action: 'delete', digest: manifestDigest, tag: undefined },
      { action: 'delete', digest: configDigest, tag: undefined },
    ])
  })

  it('tells nothing of what fails', async (t) => {
    const { base, events } = await watch(t)
    await fetch(`${base}/v2/a/b/manifests/v1`, { method: 'PUT', body: manifest, headers: { 'Content-Type': mediaType } })
    await fetch(`${base}/v2/a/b/manifests/v1`)
    await fetch(`${base}/v2/a/b/blobs/uploads/?digest=${manifestDigest}`, { method: 'POST', body: config })
    assert.deepEqual(events, [])
  })

  it('tells what a manifest refers to where that is wanted', async (t) => {
    const { base, events } = await watch(t, true)
    await push(base)
    assert.deepEqual(events.at(-1)?.target.references, [
      { mediaType: 'application/vnd.oci.image.config.v1+json', digest: configDigest, size: config.length },
    ])
  })
})
