import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'

export interface Login {
  readonly username: string
  readonly password: string
}

/** Where a client works, and what it needs to be let in there. */
export interface Place {
  /** Its own: nothing of it is anywhere else. */
  readonly directory: string
  /** `<address>:<port>` of the registries it will meet. */
  readonly hosts: readonly string[]
  /** File with the CA's certificate, where they speak TLS. */
  readonly ca?: string | undefined
  readonly login?: Login | undefined
}

/** Keeps a program's state in its place, and has Go programs trust the place's CA and no other. */
export function environment(place: Place): Record<string, string> {
  return {
    HOME: place.directory,
    DOCKER_CONFIG: join(place.directory, '.docker'),
    REGISTRY_AUTH_FILE: join(place.directory, '.docker/config.json'),
    XDG_RUNTIME_DIR: place.directory,
    ...(place.ca === undefined ? {} : { SSL_CERT_FILE: place.ca }),
  }
}

/** A directory of the place that is new, for what is pulled. */
export function newDirectory(place: Place): Promise<string> {
  return mkdtemp(join(place.directory, 'new-'))
}
