import type { Batch } from './object-store.ts'

/** Bytes. */
const NOTE = 16 * 1024

/** Whether a commit is one that a full medium has to let happen: it deletes, and puts a note of that at most. */
export function givesRoom({ uploads = [], changes = [] }: Batch): boolean {
  const put = changes.reduce((sum, change) => sum + ('put' in change ? change.data.byteLength : 0), 0)
  const puts = changes.filter((change) => 'put' in change).length
  return uploads.length === 0 && (puts === 0 || (puts === 1 && put <= NOTE && changes.length > 1))
}
