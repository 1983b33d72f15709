import { CachePlace } from '../harness/cache-place.ts'
import { cacheCrashes } from './cache-crashes.ts'

cacheCrashes({ what: 'a bucket before the embedded node', withKubo: false, cacheOf: CachePlace.bucket })
