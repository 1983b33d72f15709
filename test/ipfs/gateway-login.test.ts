import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CID } from 'multiformats/cid'
import { parsePeers } from '../../src/ipfs/embedded/network-peers.ts'
import { GatewayPeer } from '../../src/ipfs/gateway/gateway-peer.ts'
import { serve } from './gateway-server.ts'

const ANY = CID.parse('bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi')

describe('a gateway whose URL names a user', () => {
  it('is told who asks; its name and its failures do not tell the password', async (t) => {
    const seen: (string | undefined)[] = []
    const { url } = await serve(t, (request, response) => {
      seen.push(request.headers.authorization, request.url)
      response.writeHead(401).end()
    })
    const peer = new GatewayPeer(`http://al%40ice:p%C3%A4ss:100%@${url.host}/below`)
    t.after(() => peer.close())
    const failure = await peer.ask(ANY).catch((error: Error) => `${error.stack} ${String(error.cause)}`)
    assert.deepEqual(seen, [`Basic ${Buffer.from('al@ice:päss:100%').toString('base64')}`, `/below/ipfs/${ANY}?format=raw`])
    assert.match(`${failure}`, /status 401/)
    assert.doesNotMatch(`${peer.name} ${failure}`, /ss:100|ice/)
  })

  it('has no password in what is said against it', () => {
    for (const text of ['ftp://alice:secret@host', 'http://alice:secret@host/ipfs/', 'http://alice:secret@host?x', 'http://alice:secret@:1970']) {
      assert.throws(() => parsePeers([text]), (error: Error) => !error.message.includes('secret'), text)
    }
  })
})
