/** One fault in what was configured, and where it stands. */
export interface ConfigProblem {
  /** `--port`, `DISCO_PORT`, `config.yaml:3:5`. */
  readonly where: string
  readonly reason: string
}

/** Everything that is wrong with the configuration, at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(({ where, reason }) => `${where}: ${reason}`).join('\n'))
    this.problems = problems
  }
}
