import type { RegistryClient } from '../harness/registry-client.ts'
import type { Place } from './place.ts'

/** What an OCI layout has under a tag. */
export interface LayoutImage {
  readonly layout: string
  readonly tag: string
}

/** An image or an index in an OCI layout. */
export interface LocalImage extends LayoutImage {
  readonly digest: string
  /** More than one makes it an index. */
  readonly architectures: readonly string[]
}

/** What every client is asked to do; each is a column of docs/clients.md. */
export const SKILLS = ['image', 'index', 'layers', 'large', 'copy', 'referrers', 'cid', 'refusal'] as const
export type Skill = (typeof SKILLS)[number]

/** One client at work: its logins, certificates and storage are its own. */
export interface Session {
  /** Pushes to `<host>/<name>:<tag>`, and gives the digest under which the registry has it now. */
  push(image: LocalImage, reference: string): Promise<string>
  /** Pulls `<host>/<name>` with tag or digest from the registry, not from what it has, and proves that it got all of `digest`. */
  pull(reference: string, digest: string): Promise<void>
  /** The tags of `<host>/<name>`, where the client can ask for them. */
  tags?(repository: string): Promise<string[]>
  /** Copies from registry to registry, every platform, bytes unchanged. */
  copy?(from: string, to: string): Promise<void>
  /** Attaches something to `<host>/<name>@<digest>`, and gives the digest of its manifest. */
  attach?(subject: string): Promise<string>
  /** The digests of what is attached to `<host>/<name>@<digest>`. */
  attached?(subject: string): Promise<string[]>
  close?(): Promise<void>
}

/** A client that takes bytes as they are, from a layout or from a registry. */
export interface CopySession extends Session {
  push(image: LayoutImage, reference: string): Promise<string>
  copy(from: string, to: string): Promise<void>
}

/** What a client's own cases work with. */
export interface Bench {
  /** The first registry's: `<address>:<port>`. */
  readonly host: string
  /** A repository of the first registry that nobody else uses: `<host>/<name>`. */
  repository(name: string): string
  /** The first registry as plainly as it can be spoken to, let in where `<name>` is pulled. */
  registry(name: string): Promise<RegistryClient>
  /** An image that nobody else has. */
  image(architectures?: readonly string[]): Promise<LocalImage>
}

export interface OwnCase<S extends Session> {
  run(session: S, bench: Bench): Promise<void>
}

export interface Client<S extends Session = Session> {
  readonly name: string
  /** As its own command tells it. */
  version(): Promise<string>
  /** Debian's packages change with the machine, the Go programs of test/tools/go-tools.txt don't. */
  readonly source: 'Debian' | 'Go'
  /** One line of Markdown: how it is told of the registry, its certificate and a login. */
  readonly setup: string
  /** Why it can't do what it can't. */
  readonly cannot: Readonly<Partial<Record<Skill, string>>>
  /** What it pushes on the way of Disco. @default 'latest' */
  readonly wayTag?: string
  /** The only way in which it pulls by CID, where there is only one. */
  readonly pullsCidBy?: 'digest'
  /** What it alone does, by name. */
  readonly own?: Readonly<Record<string, OwnCase<S>>>
  open(place: Place): Promise<S>
}
