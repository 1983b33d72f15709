import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { base58btc } from 'multiformats/bases/base58'
import { AccessPolicy, type AccessRule } from '../../src/auth/rules.ts'
import { OpenAuthorizer } from '../../src/auth/open-authorizer.ts'
import { SillyAuthorizer } from '../../src/auth/silly-authorizer.ts'
import { BasicChallenger } from '../../src/auth/challenge.ts'
import { createGateway } from '../../src/http/gateway.ts'
import { cidOf, RAW, sha256 } from '../../src/ipfs/unixfs/block.ts'
import { fill } from '../contract/bytes.ts'
import { startFace, talk } from '../http/harness.ts'
import { Blocks } from '../ipfs/gateway-server.ts'

const secret = { cid: cidOf(RAW, sha256(fill(100))), bytes: fill(100) }
const open = { cid: cidOf(RAW, sha256(fill(200))), bytes: fill(200) }
const blocks = new Blocks()
for (const { cid, bytes } of [secret, open]) blocks.put(cid, bytes)

function everybodyPulls(...repository: string[]): AccessPolicy {
  const rule: AccessRule = { repository, users: ['anonymous'], actions: ['pull'] }
  return new AccessPolicy({ rules: [rule] })
}

describe('blocks', () => {
  it('are given to who may pull them, by whatever path they are asked for', async (t) => {
    const authorizer = new OpenAuthorizer(everybodyPulls('app', open.cid.toString()))
    const { port } = await startFace(t, () => ({ authorizer, gateway: createGateway(blocks) }))
    const statusOf = async (path: string): Promise<string> =>
      (await talk(port, `GET ${path} HTTP/1.1\r\nHost: disco\r\nConnection: close\r\n\r\n`)).slice(9, 12)
    assert.equal(await statusOf(`/ipfs/${open.cid}?format=raw`), '200')
    const ways = [
      `/ipfs/${secret.cid}`, `/ipfs/app/../${secret.cid}`, `/ipfs/app/%2e%2e/${secret.cid}`, `/ipfs/app/.%2E/${secret.cid}`, `/ipfs/app/..\\${secret.cid}`,
      `/ipfs/app/../../ipfs/${secret.cid}`, `/ipfs/${open.cid}/../${secret.cid}`, `/ipfs/./${secret.cid}`, `/ipfs//${secret.cid}`,
      `/ipfs/%62${secret.cid.toString().slice(1)}`, `http://x/ipfs/app/../${secret.cid}`, `/ipfs/app#/../../${secret.cid}`,
    ]
    for (const path of ways) assert.notEqual(await statusOf(`${path}?format=raw`), '200', path)
  })

  it('have one name for the rules, however their CID is written', async (t) => {
    const authorizer = new OpenAuthorizer(everybodyPulls('<cid>'))
    const { base } = await startFace(t, () => ({ authorizer, gateway: createGateway(blocks) }))
    for (const cid of [secret.cid.toString(), secret.cid.toString(base58btc), `%62${secret.cid.toString().slice(1)}`]) {
      assert.equal((await fetch(`${base}/ipfs/${cid}?format=raw`)).status, 200, cid)
    }
    assert.equal((await fetch(`${base}/ipfs/nothing?format=raw`)).status, 403)
  })

  it('that not everybody may have are for no cache that several share', async (t) => {
    const policy = everybodyPulls(open.cid.toString())
    const some = new AccessPolicy({})
    for (const [rules, authorization, kept] of [[policy, undefined, 'public'], [some, 'silly', 'private']] as const) {
      const authorizer = new SillyAuthorizer({ policy: rules, challenger: new BasicChallenger('test') })
      const { base } = await startFace(t, () => ({ authorizer, gateway: createGateway(blocks) }))
      const answer = await fetch(`${base}/ipfs/${open.cid}?format=raw`, authorization === undefined ? {} : { headers: { authorization } })
      assert.equal(answer.headers.get('cache-control'), `${kept}, max-age=29030400, immutable`)
    }
  })
})
