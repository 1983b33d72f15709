import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { it } from 'node:test'
import { KuboNode } from '../../src/ipfs/kubo/nodes/node.ts'
import { KnownServices } from '../../src/ipfs/kubo/pins/known-services.ts'
import type { Logger } from '../../src/telemetry/logger.ts'

it('pinning services that a node does not know are told with those that it knows, once', async () => {
  let known: readonly string[] | undefined = ['keeper']
  const server = createServer(({ url }, response) => {
    if (url === '/api/v0/version') return void response.end('{"Version":"0.43.0"}')
    if (known === undefined) return void response.destroy()
    response.end(JSON.stringify({ RemoteServices: known.map((Service) => ({ Service, ApiEndpoint: 'https://s3cret' })) }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const node = new KuboNode(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const told: object[] = []
  const services = new KnownServices([node], ['keeper', 'keper'], { warn: (fields: object) => void told.push(fields) } as unknown as Logger)
  try {
    await services.look()
    await services.look()
    assert.deepEqual(told, [{ node: node.name, unknown: ['keper'], known: ['keeper'] }])
    known = undefined
    await services.look()
    known = []
    await services.look()
    assert.deepEqual(told.slice(1), [{ node: node.name, unknown: ['keeper', 'keper'], known: [] }])
    known = ['keeper', 'keper']
    await services.look()
    known = ['keeper']
    await services.look()
    assert.equal(told.length, 3)
  } finally {
    node.close()
    server.close()
  }
})
