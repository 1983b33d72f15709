import { crane } from '../clients/crane.ts'
import type { CopySession } from '../clients/client.ts'
import { oras } from '../clients/oras.ts'
import { regctl } from '../clients/regctl.ts'
import { skopeo } from '../clients/skopeo.ts'
import type { Scene } from './scene.ts'

/** Those that push from a layout an index with all its platforms, byte for byte. */
export const PUSHERS = ['skopeo', 'oras', 'regctl'] as const
export const COPIERS = ['skopeo', 'oras', 'regctl', 'crane'] as const
export type Copier = (typeof COPIERS)[number]

/** Opens clients for registries on loopback that speak plain HTTP and let everybody in. */
export async function copyClients(scene: Scene): Promise<Readonly<Record<Copier, CopySession>>> {
  const place = { directory: await scene.folder('clients'), hosts: [] }
  return {
    skopeo: await skopeo.open(place),
    oras: await oras.open(place),
    regctl: await regctl.open(place),
    crane: await crane.open(place),
  }
}
