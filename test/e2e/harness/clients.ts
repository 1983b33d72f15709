import { run } from './command.ts'
import type { Docker } from './docker.ts'

/** Pushes with real Docker what the daemon has under the name, and gives the digest that Docker reports. */
export async function dockerPush(docker: Docker, name: string): Promise<string> {
  const said = await docker.docker('push', name)
  const digest = /digest: (sha256:[0-9a-f]{64})/.exec(said)?.[1]
  if (digest === undefined) throw new Error(`docker push told no digest:\n${said}`)
  return digest
}

/** Pushes `layout:tag`, an index with all its platforms, byte for byte. */
export type LayoutPush = (layout: string, tag: string, host: string, name: string) => Promise<string>

export const layoutPushes: Readonly<Record<'skopeo' | 'oras' | 'regctl', LayoutPush>> = {
  skopeo: (layout, tag, host, name) =>
    skopeoCopy('--dest-tls-verify=false', `oci:${layout}:${tag}`, `docker://${host}/${name}`),
  oras: (layout, tag, host, name) =>
    run('oras', ['cp', '-r', '--no-tty', '--from-oci-layout', '--to-plain-http', `${layout}:${tag}`, `${host}/${name}`]),
  regctl: (layout, tag, host, name) =>
    run('regctl', ['--host', `reg=${host},tls=disabled`, 'image', 'copy', `ocidir://${layout}:${tag}`, `${host}/${name}`]),
}

/** Copies between registries, an index with all its platforms. */
export type RegistryCopy = (from: string, to: string) => Promise<string>

export const registryCopies: Readonly<Record<'skopeo' | 'crane' | 'oras' | 'regctl', RegistryCopy>> = {
  skopeo: (from, to) =>
    skopeoCopy('--src-tls-verify=false', '--dest-tls-verify=false', `docker://${from}`, `docker://${to}`),
  crane: (from, to) => run('crane', ['copy', from, to]),
  oras: (from, to) => run('oras', ['cp', '-r', '--no-tty', '--from-plain-http', '--to-plain-http', from, to]),
  regctl: (from, to) => run('regctl', [...withoutTls(from), ...withoutTls(to), 'image', 'copy', from, to]),
}

function skopeoCopy(...args: readonly string[]): Promise<string> {
  return run('skopeo', ['copy', '-q', '--all', '--preserve-digests', ...args])
}

/** The options that tell regctl to speak plain HTTP with the registry of a reference. */
function withoutTls(reference: string): string[] {
  return ['--host', `reg=${reference.slice(0, reference.indexOf('/'))},tls=disabled`]
}
