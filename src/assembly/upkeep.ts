import type { Config } from '../config/options.ts'
import { Housekeeping } from '../global/housekeeping.ts'
import { rescan } from '../global/rescan.ts'
import type { RegistryCore } from '../registry/core.ts'
import type { Logger } from '../telemetry/logger.ts'
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
  const stopped = new AbortController()
  let scanning: Promise<void> | undefined
  const { background } = storage
  return {
    async start() {
      for (const part of background) part.start()
      await housekeeping?.start()
      if (storage.apart) scanning = scan(storage, log.child({ name: 'index' }), stopped.signal)
    },
    async stop() {
      stopped.abort()
      await housekeeping?.stop()
      await Promise.all(background.map((part) => part.stop()))
      await scanning
    },
  }
}

async function scan({ store, index, provides }: BuiltStorage, log: Logger, signal: AbortSignal): Promise<void> {
  try {
    const found = await rescan({ store, index, provides, log }, { signal })
    if (found > 0) log.info({ images: found }, 'indexed the blocks of images that were here')
  } catch (err) {
    if (!signal.aborted) log.warn({ err }, 'could not look for images that the index lacks')
  }
}
