import { AsyncLocalStorage } from 'node:async_hooks'

/** What every line that is logged on behalf of a request says. */
export interface RequestScope {
  readonly id: string
}

/** The request on whose behalf something is done. A constant, as Node has it: what is stored belongs to who runs in it. */
export const requestScope: AsyncLocalStorage<RequestScope> = new AsyncLocalStorage()
