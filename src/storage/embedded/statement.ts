export type SqlValue = string | number | bigint | Uint8Array | null

export interface Statement {
  readonly sql: string
  readonly params?: readonly SqlValue[]
  /**
   * For a SELECT of one column: the values it must give, in order, or the transaction is rolled back and `otherwise` is
   * thrown by `write`.
   */
  readonly expect?: readonly SqlValue[]
  readonly otherwise?: Error
}
