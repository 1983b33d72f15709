import type { Config } from '../config/options.ts'
import type { ObjectLinks } from '../storage/object-store.ts'

type LinksChoice = Pick<Config, 'redirect' | 'redirectDisabled'>

/**
 * Where clients are sent for blobs, if anywhere.
 *
 * @param bucket of the images, or of their cache
 */
export function linksOf({ redirect = false, redirectDisabled }: LinksChoice, bucket: ObjectLinks | undefined): ObjectLinks | undefined {
  if (redirectDisabled || redirect === false) return undefined
  return redirect === true ? bucket : linksBelow(redirect)
}

/** As the original Disco makes them: the object's path after the URL's own. */
function linksBelow(base: string): ObjectLinks {
  const url = new URL(base)
  return {
    async presigned(path) {
      const link = new URL(url)
      link.pathname = `${url.pathname.replace(/\/+$/, '')}/${path}`
      return link.href
    },
  }
}
