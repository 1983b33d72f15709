import { CachePlace } from '../harness/cache-place.ts'
import { cacheCrashes } from './cache-crashes.ts'

cacheCrashes({ what: 'a directory before a Kubo', withKubo: true, cacheOf: CachePlace.directory })
