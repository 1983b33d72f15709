import type { Answer } from './answer.ts'

/** The registry below a path of its host: `/registry`. */
export class Prefix {
  readonly #path: string

  /** @param path with or without a slash at its end */
  constructor(path: string) {
    this.#path = path.replace(/\/+$/, '')
  }

  /** The target without the prefix; undefined where it is not below it. */
  without(target: string): string | undefined {
    const rest = target.slice(this.#path.length)
    return target.startsWith(this.#path) && rest.startsWith('/') ? rest : undefined
  }

  /** Clients come back to where an answer points, through whatever put the prefix there. */
  added(answer: Answer): Answer {
    const { headers } = answer
    if (headers?.['Location'] === undefined && headers?.['Link'] === undefined) return answer
    const { Location: location, Link: link, ...rest } = headers
    return {
      ...answer,
      headers: {
        ...rest,
        ...(typeof location === 'string' ? { Location: location.startsWith('/') ? this.#path + location : location } : {}),
        ...(typeof link === 'string' ? { Link: link.replace(/^<\//, `<${this.#path}/`) } : {}),
      },
    }
  }
}
