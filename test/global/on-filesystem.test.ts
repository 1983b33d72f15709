import { STORE_VARIABLE, type StoreKind } from './harness.ts'

process.env[STORE_VARIABLE] = 'filesystem' satisfies StoreKind
for (const suite of ['push', 'clone', 'lies', 'concurrent-push', 'recent']) await import(`./${suite}.test.ts`)
