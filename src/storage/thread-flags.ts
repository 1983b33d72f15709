/**
 * Flags of Node for our threads. They would have all of this process, and then one that was told its program on the
 * command line (`node --input-type=module -e …`) could not begin any.
 */
export function threadFlags(): string[] {
  return process.execArgv.filter((flag) => /^--(?:no-warnings|disable-warning=)/.test(flag))
}
