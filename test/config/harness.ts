import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readFlags } from '../../src/config/flags.ts'
import { loadConfig, type LoadedConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/config/problem.ts'

/** Loads configurations that are written to a directory of its own; places in that file are named `config.yaml:1:1`. */
export class Loader {
  readonly directory: string

  private constructor(directory: string) {
    this.directory = directory
  }

  static async create(): Promise<Loader> {
    return new Loader(await mkdtemp(join(tmpdir(), 'disco-config-')))
  }

  remove(): Promise<void> {
    return rm(this.directory, { recursive: true })
  }

  async load(content: string, env: Readonly<Record<string, string>> = {}, args: readonly string[] = []): Promise<LoadedConfig> {
    const path = join(this.directory, 'config.yaml')
    await writeFile(path, content)
    const { config, warnings, origin } = await loadConfig(readFlags(args), { REGISTRY_CONFIGURATION_PATH: path, ...env })
    return { config, warnings: warnings.map((text) => this.#short(text)), origin: (name) => this.#short(origin(name)) }
  }

  async problems(content: string, env: Readonly<Record<string, string>> = {}, args: readonly string[] = []): Promise<string[]> {
    const error = await this.load(content, env, args).then(() => undefined, (reason: unknown) => reason)
    assert.ok(error instanceof ConfigError, String(error))
    return error.problems.map(({ where, reason }) => `${this.#short(where)}: ${reason}`)
  }

  #short<T extends string | undefined>(text: T): T {
    return text?.replaceAll(`${this.directory}/`, '') as T
  }
}
