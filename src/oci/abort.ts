export interface AbortOptions {
  readonly signal?: AbortSignal | undefined
}
