import { bucketPlaces as places } from '../../../src/registry/paths.ts'
import type { Bucket } from '../../../src/storage/bucket/bucket.ts'
import { BucketStore } from '../../../src/storage/bucket/store.ts'
import { objectStoreContract, type OpenedStore } from '../../contract/object-store.ts'

/** What every store promises, of one in a new bucket each time. */
export function bucketContract(name: string, traits: Pick<OpenedStore, 'tick' | 'plainNames' | 'sortsByUnits'>, newBucket: () => Promise<() => Bucket>): void {
  objectStoreContract(name, async () => {
    const open = await newBucket()
    let store = await BucketStore.open(open(), { places })
    const others: BucketStore[] = []
    return {
      ...traits,
      store,
      reopen: async () => {
        await store.close()
        store = await BucketStore.open(open(), { places })
        return store
      },
      again: async () => {
        const other = await BucketStore.open(open(), { places })
        others.push(other)
        return other
      },
      files: async () => {
        const { objects } = await store.bucket.page('')
        return objects.filter(({ path }) => !/^\.disco\/(?:chunks|locks|journal|conditions)\b/.test(path)).length
      },
      close: async () => {
        for (const each of [store, ...others]) await each.close()
      },
    }
  })
}
