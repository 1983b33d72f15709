import type { CID } from 'multiformats/cid'
import type { SessionObserver } from '../telemetry/session-observer.ts'
import type { FileFetch, ImageSession, IpfsNetwork } from './node.ts'

/** The sessions of a network, watched: who is looked for, and what comes. */
export function observedSessions(network: Pick<IpfsNetwork, 'open'>, observer: SessionObserver): Pick<IpfsNetwork, 'open'> {
  return { open: (root) => observed(root, network.open(root), observer) }
}

function observed(root: CID, session: ImageSession, observer: SessionObserver): ImageSession {
  const cid = root.toString()
  /** A file that is asked for again joins the fetch that is under way. */
  const seen = new WeakSet<FileFetch>()
  return {
    find: (options) => observer.during('search', cid, () => session.find(options)),
    tree: (limits, options) => observer.during('tree', cid, () => session.tree(limits, options)),
    fetch(file) {
      const fetch = session.fetch(file)
      if (seen.has(fetch)) return fetch
      seen.add(fetch)
      // What became of it is told to who waits for it.
      observer.during('fetch', file.cid.toString(), () => fetch.done).catch(() => {})
      return fetch
    },
    keep: (options) => observer.during('keep', cid, () => session.keep(options)),
    close: () => session.close(),
  }
}
