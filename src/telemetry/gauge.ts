/** A value with what tells it from its like. */
export interface Reading {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** A metric that is looked up when somebody asks for it. */
export interface GaugeSpec {
  /** `disco_…`, with its unit at the end. */
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
  /** Only grows, from the start of the process on. @default false */
  readonly counter?: boolean
  /** One that fails is left out of this answer. */
  readonly read: () => number | readonly Reading[] | Promise<number | readonly Reading[]>
}

/** For rooms that have something to show and do not know to whom. */
export type AddGauge = (spec: GaugeSpec) => void
