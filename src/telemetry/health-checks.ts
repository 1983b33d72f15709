import { stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { resolve } from 'node:path'
import { withoutUser } from '../oci/url-user.ts'
import type { Probe } from './health.ts'

/** Fails while the file is there: a way to take a registry out of rotation. */
export function fileProbe(file: string): Probe {
  const path = resolve(file)
  return async () => {
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (found !== undefined) throw new Error('file exists')
  }
}

/** A HEAD request has to be answered with `status`. */
export function httpProbe(uri: URL | string, { status = 200, headers = {} }: { readonly status?: number; readonly headers?: Readonly<Record<string, readonly string[]>> } = {}): Probe {
  const { url: { href }, authorization } = withoutUser(uri)
  const own = authorization === undefined ? {} : { Authorization: [authorization] }
  const all = Object.entries({ ...own, ...headers }).flatMap(([name, values]) => values.map((value): [string, string] => [name, value]))
  return async (signal) => {
    const response = await fetch(href, { method: 'HEAD', headers: all, redirect: 'manual', signal })
    if (response.status !== status) throw new Error(`${href}: downstream service returned unexpected status: ${response.status}`)
  }
}

/** Somebody has to listen at `host:port`. */
export function tcpProbe(address: string): Probe {
  const [, host = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? []
  return (signal) =>
    new Promise((done, fail) => {
      const socket = connect({ host: host === '' ? 'localhost' : host, port: Number(port), signal })
      socket.once('connect', () => {
        socket.destroy()
        done()
      })
      socket.once('error', fail)
    })
}
