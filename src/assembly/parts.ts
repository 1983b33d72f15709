/** What `work` builds of parts that have to be closed: when it fails, those that it has are. */
export async function ofParts<T>(work: (parts: AsyncDisposableStack) => Promise<T>): Promise<T> {
  const parts = new AsyncDisposableStack()
  try {
    return await work(parts)
  } catch (error) {
    await parts.disposeAsync()
    throw error
  }
}
