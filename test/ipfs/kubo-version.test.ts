import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, describe, it } from 'node:test'
import { KuboDownError, KuboUnfitError } from '../../src/ipfs/kubo/nodes/errors.ts'
import { KuboNode } from '../../src/ipfs/kubo/nodes/node.ts'
import { NodeWatch } from '../../src/ipfs/kubo/nodes/node-watch.ts'
import { silentLogger } from '../../src/telemetry/create-logger.ts'

describe('what is at the URL of a Kubo', () => {
  const servers: Server[] = []
  after(() => servers.forEach((server) => server.close()))

  async function serving(listener: RequestListener, port = 0): Promise<URL> {
    const server = createServer(listener).listen(port, '127.0.0.1')
    servers.push(server)
    await once(server, 'listening')
    return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  }

  const saying = (status: number, body: string): RequestListener => (_, response) => void response.writeHead(status).end(body)
  const kubo = (version: string): RequestListener => ({ url }, response) => void response.end(url === '/api/v0/version' ? JSON.stringify({ Version: version }) : '{"Hash":"QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn","Type":"directory"}')

  for (const version of ['0.43.0', '0.43.0+dist', '0.43.1-rc1', '0.44.0-rc2', '1.0.0-dev']) {
    it(`is taken when it is ${version}`, async () => {
      const node = new KuboNode(await serving(kubo(version)))
      assert.equal((await node.stat('/'))?.directory, true)
      node.close()
    })
  }

  const wrong: readonly (readonly [what: string, listener: RequestListener, message: RegExp])[] = [
    ['too old', kubo('0.42.1'), /^http:\/\/127\.0\.0\.1:\d+ is Kubo 0\.42\.1: 0\.43\.0 or newer is wanted$/],
    ['a candidate for it', kubo('0.43.0-rc1'), /is Kubo 0\.43\.0-rc1: 0\.43\.0 or newer is wanted$/],
    ['steering the terminal', kubo('0.43.0\u001b[2J'), /is no Kubo: it does not say its version/],
    ['steering it while it refuses', saying(500, 'a\u001b[31m\nb'), /it answers status 500: a \[31m b;/],
    ['steering it in JSON', saying(500, '{"Message":"a\\u001b[31mb"}'), /it answers a \[31mb;/],
    ['a redirect', (_, response) => void response.writeHead(302, { location: 'https://a/' }).end(), /is no RPC of a Kubo: it sends elsewhere \(302\): name the URL that it sends to$/],
    ['silent about why', saying(500, ''), /it answers status 500;/],
    ['of no version', kubo('soon'), /is Kubo soon: 0\.43\.0 or newer is wanted$/],
    ['a page', saying(200, '<html>hello</html>'), /is no RPC of a Kubo: it answers something else than a version; its RPC is at Addresses\.API, port 5001/],
    ['other JSON', saying(200, '{"name":"other"}'), /is no Kubo: it does not say its version/],
    ['nothing', saying(200, ''), /is no Kubo: it does not say its version/],
    ['a gateway', saying(404, '404 page not found'), /is no RPC of a Kubo: it answers 404, as a gateway does; its RPC/],
    ['closed', saying(403, 'Kubo RPC Access Denied: Please provide a valid authorization token'), /lets nobody in without a login that is not the one given: name user:password@ in its URL, or its token/],
    ['a proxy that forbids', saying(403, 'no'), /it answers status 403: no;/],
  ]
  for (const [what, listener, message] of wrong) {
    it(`is refused when it is ${what}, and asked for nothing else`, async () => {
      const asked: string[] = []
      const node = new KuboNode(await serving((request, response) => {
        asked.push(request.url ?? '')
        listener(request, response)
      }))
      await assert.rejects(node.stat('/'), (error) => error instanceof KuboUnfitError && message.test(error.message))
      assert.deepEqual(asked, ['/api/v0/version'])
      node.close()
    })
  }

  it('is told to speak no TLS, in one line', async () => {
    const url = await serving(kubo('0.43.0'))
    url.protocol = 'https:'
    const node = new KuboNode(url)
    await assert.rejects(node.stat('/'), (error) => error instanceof KuboUnfitError && error.message === `${node.name} speaks no TLS: is http:// meant?`)
    node.close()
  })

  it('is no Kubo without a peer id', async () => {
    for (const ID of [undefined, '', '\u001b[2J']) {
      const node = new KuboNode(await serving(({ url }, response) => void response.end(JSON.stringify(url === '/api/v0/version' ? { Version: '0.43.0' } : { ID }))))
      const watch = new NodeWatch([node], silentLogger())
      await assert.rejects(watch.check(), (error) => error instanceof KuboUnfitError && error.message === `${node.name} is no Kubo: it does not say its peer id`)
      await watch.stop()
      node.close()
    }
  })

  it('is looked at again when it was away', async () => {
    const url = await serving(kubo('0.43.0'))
    const node = new KuboNode(url)
    await node.stat('/')
    const [server] = servers.splice(-1)
    server?.close()
    server?.closeAllConnections()
    await assert.rejects(node.stat('/'), KuboDownError)
    await serving(kubo('0.30.0'), Number(url.port))
    await assert.rejects(node.stat('/'), /is Kubo 0\.30\.0: 0\.43\.0 or newer is wanted/)
    node.close()
  })

  it('is told who asks, and nobody else is', async () => {
    const seen: (string | undefined)[] = []
    const url = await serving((request, response) => {
      seen.push(request.headers.authorization)
      saying(403, 'Authorization')(request, response)
    })
    const withUser = new URL(url)
    withUser.username = 'me'
    withUser.password = 's3cret'
    for (const node of [new KuboNode(withUser), new KuboNode(url, { token: 's3cret' })]) {
      await assert.rejects(node.stat('/'), ({ message }: Error) => !message.includes('s3cret'))
      node.close()
    }
    assert.deepEqual(seen, [`Basic ${btoa('me:s3cret')}`, 'Bearer s3cret'])
  })
})
