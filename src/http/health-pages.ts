import type { Health, Rotation } from '../telemetry/health.ts'
import { json, type Answer } from './answer.ts'
import { RegistryError } from '../oci/errors.ts'

/** A page that is the same for everybody. */
export type Page = (request: { readonly method?: string | undefined }) => Promise<Answer>

const TEXT = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' }

/** For who watches over processes: whether this one runs, and whether requests had better come here. Strangers learn no more. */
export function healthPages(health: Health): Map<string, Page> {
  return new Map([
    ['/healthz', reading(async () => ({ status: 200, headers: TEXT, body: 'ok\n' }))],
    ['/readyz', reading(async () => {
      const ready = Object.keys(await health.failures()).length === 0
      return ready ? { status: 200, headers: TEXT, body: 'ok\n' } : { status: 503, headers: { ...TEXT, 'Retry-After': '5' }, body: 'not ready\n' }
    })],
  ])
}

/** Distribution's: what is wrong, by the names of the checks, and a switch to take this registry out of rotation. */
export function debugHealthPages(health: Health, rotate: (rotation: Rotation) => Promise<void>): Map<string, Page> {
  return new Map([
    ['/debug/health', reading(async () => {
      const failures = await health.failures()
      return json(Object.keys(failures).length === 0 ? 200 : 503, { ...await health.advice(), ...failures })
    })],
    ['/debug/health/down', switching(() => rotate('down'))],
    ['/debug/health/up', switching(() => rotate('up'))],
  ])
}

export function metricsPage(contentType: string, text: () => Promise<string>): Page {
  return reading(async () => ({ status: 200, headers: { 'Content-Type': contentType }, body: await text() }))
}

function reading(page: () => Promise<Answer>): Page {
  return async ({ method }) => {
    if (method !== 'GET' && method !== 'HEAD') throw new RegistryError('UNSUPPORTED', 'only GET and HEAD', { headers: { Allow: 'GET, HEAD' } })
    return await page()
  }
}

function switching(act: () => Promise<void>): Page {
  return async ({ method }) => {
    if (method !== 'POST') return { status: 404 }
    await act()
    return { status: 200 }
  }
}
