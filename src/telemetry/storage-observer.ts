export type StorageAction = 'Stat' | 'GetContent' | 'Read' | 'List' | 'Commit' | 'StartUpload' | 'StatUpload' | 'Append' | 'ReadUpload' | 'Verify' | 'RemoveUpload' | 'ListUploads'

/** Watches what is asked of a store. Names of actions are Distribution's where it has the same. */
export interface StorageObserver {
  /** Calls `work` once and resolves or rejects as it does. */
  during<T>(action: StorageAction, work: () => Promise<T>): Promise<T>
  /** A stream was asked for. How long it takes is its reader's affair. */
  streaming(action: StorageAction): void
}
