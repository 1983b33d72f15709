import { MemoryStore } from '../../src/storage/memory/store.ts'
import { objectStoreContract } from '../contract/object-store.ts'

objectStoreContract('MemoryStore', async () => ({ store: new MemoryStore(), close: async () => {} }))
