/**
 * Does `work` with each, at most `limit` at once; results in their order. After a failure no more is begun, and it is
 * thrown once nothing is under way any more.
 */
export async function withSeveral<T, R>(items: readonly T[], limit: number, work: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length)
  const queue = items.entries()
  let failed = false
  const settled = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, async () => {
    for (const [index, item] of queue) {
      if (failed) return
      try {
        results[index] = await work(item, index)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }))
  const fault = settled.find((outcome) => outcome.status === 'rejected')
  if (fault !== undefined) throw fault.reason
  return results
}
