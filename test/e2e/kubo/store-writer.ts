import { REPOSITORIES } from '../../../src/registry/paths.ts'
import { KuboNode } from '../../../src/ipfs/kubo/nodes/node.ts'
import { put } from '../../contract/commits.ts'
import { openKuboStore } from './kubo-store-scene.ts'

/** A process that commits to a store which others have open. */
const [url = '', directory = '', name = '', count = '0'] = process.argv.slice(2)
const { store, close } = await openKuboStore([new KuboNode(url)], directory)
for (let i = 0; i < Number(count); i++) await store.commit({ changes: [put(`${REPOSITORIES}/shared/${name}/${i}`, 'x'), put(`disco/${name}/${i}`, 'x')] })
await close()
