/** Clients may leave when they have what they wanted: Docker does after a layer's last byte. Nothing has failed. */
export class ClientGoneError extends Error {
  override readonly name = 'ClientGoneError'

  constructor(options?: ErrorOptions) {
    super('the client went away', options)
  }
}
