import type { Config } from '../config/options.ts'
import { Housekeeping } from '../global/housekeeping.ts'
import type { RegistryCore } from '../registry/core.ts'
import type { Logger } from '../telemetry/logger.ts'
import { IndexCompletion } from './index-completion.ts'
import type { BuiltStorage } from './storage.ts'

export interface UpkeepGround {
  readonly config: Config
  readonly storage: BuiltStorage
  readonly core: RegistryCore
  readonly log: Logger
}

/** What goes on beside the requests, in one process of a registry. */
export interface Upkeep {
  /** Resolves when what has to be done before requests is done. */
  start(): Promise<void>
  stop(): Promise<void>
}

/** Tidies up, unless nothing may be written, and completes the index, where it may lack images. */
export function createUpkeep({ config, storage, core, log }: UpkeepGround): Upkeep {
  const housekeeping = config.readonly ? undefined : new Housekeeping(
    { removeUploads: core.removeUploads.bind(core), log: log.child({ name: 'housekeeping' }) },
    { enabled: config.uploadPurging, age: config.uploadPurgingAge, interval: config.uploadPurgingInterval, dryRun: config.uploadPurgingDryRun },
  )
  const { images, background } = storage
  const completion = images && new IndexCompletion(images, log.child({ name: 'index' }))
  return {
    async start() {
      for (const part of background) part.start()
      await housekeeping?.start()
      completion?.start()
    },
    async stop() {
      await Promise.all([housekeeping, completion, ...background].map(async (part) => part?.stop()))
    },
  }
}
