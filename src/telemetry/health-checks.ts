import { stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { resolve } from 'node:path'
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
export function httpProbe(uri: string, { status = 200, headers = {} }: { readonly status?: number; readonly headers?: Readonly<Record<string, readonly string[]>> } = {}): Probe {
  return async (signal) => {
    const all = Object.entries(headers).flatMap(([name, values]) => values.map((value): [string, string] => [name, value]))
    const response = await fetch(uri, { method: 'HEAD', headers: all, redirect: 'manual', signal })
    if (response.status !== status) throw new Error(`${uri}: downstream service returned unexpected status: ${response.status}`)
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
