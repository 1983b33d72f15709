import type { CID } from 'multiformats/cid'
import { RegistryError } from '../oci/errors.ts'
import { Turns } from '../ipfs/turns.ts'
import { busy, CloneFlight, type FlightParts } from './clone-flight.ts'

/** Clones at once in a process, most of them of images that are still searched for: anybody can ask for what nobody has. */
const MAX_FLIGHTS = 512
/** … and those of images that were found: each may hold the manifests of one in memory. */
const MAX_TRANSFERS = 32

/** The clones under way in this process: one an image. One that failed is not remembered. */
export class CloneFlights {
  readonly #parts: FlightParts
  readonly #flights = new Map<string, CloneFlight>()
  #closed = false

  constructor(parts: Omit<FlightParts, 'turns'>) {
    this.#parts = { ...parts, turns: new Turns(MAX_TRANSFERS) }
  }

  /** The flight that brings an image, begun where there is none. @throws RegistryError UNAVAILABLE */
  board(cid: CID): CloneFlight {
    const name = cid.toString()
    const running = this.#flights.get(name)
    if (running !== undefined && !running.isStopped) {
      this.#parts.observer?.joined()
      return running
    }
    if (this.#closed) throw new RegistryError('UNAVAILABLE', 'the registry is stopping')
    if (this.#flights.size >= MAX_FLIGHTS) throw busy()
    const flight = new CloneFlight(cid, this.#parts)
    this.#flights.set(name, flight)
    const gone = (): void => {
      if (this.#flights.get(name) === flight) this.#flights.delete(name)
    }
    flight.landed.then(gone, gone)
    return flight
  }

  /** Ends all clones; what is not whole goes. */
  async close(): Promise<void> {
    this.#closed = true
    const flights = [...this.#flights.values()]
    for (const flight of flights) flight.stop(new RegistryError('UNAVAILABLE', 'the registry is stopping'))
    await Promise.allSettled(flights.map((flight) => flight.landed))
  }
}
