import { BlockList, isIPv6 } from 'node:net'

/** Addresses as they are counted and compared: an IPv4 address that came by IPv6 is itself. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address
}

/** Ranges of addresses, like `10.0.0.0/8`. */
export class Networks {
  readonly #list = new BlockList()

  /** @throws Error for what is no address and no range */
  constructor(ranges: readonly string[]) {
    for (const range of ranges) {
      const [address = '', bits] = range.split('/')
      const family = isIPv6(address) ? 'ipv6' : 'ipv4'
      if (bits === undefined) this.#list.addAddress(address, family)
      else this.#list.addSubnet(address, Number(bits), family)
    }
  }

  has(address: string): boolean {
    return this.#list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
  }
}
