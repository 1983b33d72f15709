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
  /** What was understood and is left out. */
  readonly warnings: readonly string[]

  constructor(problems: readonly ConfigProblem[], warnings: readonly string[] = []) {
    super(problems.map(({ where, reason }) => `${where}: ${reason}`).join('\n'))
    this.problems = problems
    this.warnings = warnings
  }
}

/** What a kind threw: faults that have their places already, or one that stands at `where`. */
export function problemsAt(where: string, error: unknown): readonly ConfigProblem[] {
  return error instanceof ConfigError ? error.problems : [{ where, reason: (error as Error).message }]
}

/** The same where places are relative: `.url`, `[0].url` below `where`. */
export function problemsBelow(where: string, error: unknown): readonly ConfigProblem[] {
  if (!(error instanceof ConfigError)) return [{ where, reason: (error as Error).message }]
  return error.problems.map((problem) => ({ where: `${where}${problem.where}`, reason: problem.reason }))
}
