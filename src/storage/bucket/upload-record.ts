/** An object that has some of an upload's bytes, in its place among them. */
export interface UploadPiece {
  /** Below the upload's. */
  readonly name: string
  /** Bytes. */
  readonly size: number
}

/** Where the bytes of an upload are. */
export interface UploadContent {
  /** All but the last large enough to be parts of an object. */
  readonly pieces: readonly UploadPiece[]
  /** Names of those that others have taken the place of, to be deleted with the rest. */
  readonly stale?: readonly string[]
}

/** What the bucket knows of an upload; written anew by whoever works on it, for as long as he does. */
export interface UploadRecord extends UploadContent {
  readonly repository: string
  /** In milliseconds since the epoch. */
  readonly modifiedAt: number
  /** Somebody died while he was at work on it: there may be objects that nothing tells of. */
  readonly dirty?: boolean
  /** Somebody is at work on it, as long as he says so. */
  readonly busy?: boolean
}

export function isUploadRecord(value: object): value is UploadRecord {
  const { repository, modifiedAt, pieces } = value as Partial<Record<keyof UploadRecord, unknown>>
  return typeof repository === 'string' && typeof modifiedAt === 'number' && Array.isArray(pieces) && pieces.every(isPiece)
}

export function sizeOf({ pieces }: Pick<UploadRecord, 'pieces'>): number {
  return pieces.reduce((sum, { size }) => sum + size, 0)
}

function isPiece(piece: unknown): boolean {
  return typeof piece === 'object' && piece !== null && typeof Reflect.get(piece, 'name') === 'string' && typeof Reflect.get(piece, 'size') === 'number'
}
