import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { CASES, type SharedImages } from './clients/cases.ts'
import { makeCertificates } from './clients/certificates.ts'
import type { FaceGround } from './clients/face-settings.ts'
import { TokenServer } from './clients/token-server.ts'
import { SKILLS, type Bench, type Client, type Session } from './clients/client.ts'
import { cosign } from './clients/cosign.ts'
import { crane } from './clients/crane.ts'
import { ctr } from './clients/ctr.ts'
import { dockerClassic, dockerContainerd } from './clients/docker.ts'
import { FACES, HEAVY } from './clients/faces.ts'
import { helm } from './clients/helm.ts'
import { oras } from './clients/oras.ts'
import { buildah, podman } from './clients/podman.ts'
import { regctl } from './clients/regctl.ts'
import { skopeo } from './clients/skopeo.ts'
import { Stage, sharedImages } from './clients/stage.ts'
import { Shown, clientsPage, comparable } from './clients/table.ts'
import { ROOT } from './harness/command.ts'
import { Scene } from './harness/scene.ts'

const CLIENTS: readonly Client[] = [
  dockerClassic, dockerContainerd, ctr, podman, skopeo, buildah, crane, regctl, oras, cosign, helm,
]
const PAGE = join(ROOT, 'docs/clients.md')

describe('clients', { timeout: 900_000 }, () => {
  const shown = new Shown()
  let scene: Scene
  let ground: FaceGround
  let images: SharedImages

  before(async () => {
    scene = await Scene.begin()
    const login = { username: 'user', password: 'correct horse' }
    const certificates = await makeCertificates(await scene.folder('certificates'))
    const tokens = await TokenServer.start(login, certificates)
    scene.atEnd(() => tokens.close())
    ground = { login, tokens, certificates }
    images = await sharedImages(scene)
  })

  after(() => scene.end())

  for (const face of FACES) {
    describe(face.name, { concurrency: 3 }, () => {
      let stage: Stage

      before(async () => {
        stage = await Stage.open(scene, face, ground)
      })

      for (const [number, client] of CLIENTS.entries()) {
        describe(client.name, { concurrency: 1 }, () => {
          let session: Session
          let bench: Bench

          before(async () => {
            session = await client.open(await stage.place(`client-${number}`))
            bench = stage.bench(`client-${number}`)
          })

          after(() => session.close?.())

          for (const skill of SKILLS) {
            if (client.cannot[skill] !== undefined || (HEAVY.has(skill) && !face.heavy)) continue
            it(skill, async () => {
              const elsewhere = (name: string): string => `${stage.second.host}/${name}`
              await CASES[skill]({ client, session, bench, images, elsewhere })
              shown.record(client, skill, face)
            })
          }

          for (const [name, own] of Object.entries(client.own ?? {})) {
            it(name, async () => {
              await own.run(session, bench)
              shown.record(client, name, face)
            })
          }
        })
      }
    })
  }

  it('docs/clients.md tells what was shown', async () => {
    const page = await clientsPage(CLIENTS, FACES, shown)
    if (process.env['DISCO_TEST_WRITE_DOCS'] === '1') await writeFile(PAGE, page)
    assert.equal(comparable(await readFile(PAGE, 'utf8'), CLIENTS), comparable(page, CLIENTS))
  })
})
