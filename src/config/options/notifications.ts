import { checked, integer, text, toggle } from '../kinds.ts'
import { goDuration } from '../measures.ts'
import { fields, list, listOf } from '../structures.ts'
import { checkUrl } from './addresses.ts'
import type { OptionTable } from './option.ts'
import { headerLists, type HeaderLists } from './server.ts'

/** A webhook. */
export interface NotificationEndpoint {
  readonly name: string
  readonly disabled: boolean
  readonly url: string
  /** Headers of each request. */
  readonly headers: HeaderLists
  /** In milliseconds. */
  readonly timeout: number
  /** Failures in a row before it backs off. */
  readonly threshold: number
  /** In milliseconds. */
  readonly backoff: number
  readonly ignoredMediaTypes: readonly string[]
  readonly ignore: { readonly mediaTypes: readonly string[]; readonly actions: readonly string[] }
}

export interface NotificationsConfig {
  readonly notificationEndpoints: readonly NotificationEndpoint[]
  readonly notificationReferences: boolean
}

export const NOTIFICATIONS_OPTIONS: OptionTable<NotificationsConfig> = {
  notificationEndpoints: {
    yaml: 'notifications.endpoints',
    kind: listOf(fields<NotificationEndpoint>({
      name: { kind: text, doc: 'Name of it, here and in the metrics.' },
      disabled: { kind: toggle, default: false, doc: 'Tell it nothing.' },
      url: { kind: checked('<url>', checkUrl), doc: 'Where events are sent by POST.' },
      headers: { kind: headerLists, default: {}, doc: 'Headers of each request, each with a list of values.' },
      timeout: { kind: goDuration, default: 1_000, doc: 'How long an answer may take.' },
      threshold: { kind: integer('<number>', 1, 1_000_000), default: 10, doc: 'Failures in a row before it is left alone for the time of `backoff`.' },
      backoff: { kind: goDuration, default: 1_000, doc: 'That time.' },
      ignoredMediaTypes: { kind: list('<media type>'), default: [], doc: 'Media types that it is not told of.' },
      ignore: {
        kind: fields<NotificationEndpoint['ignore']>({
          mediaTypes: { kind: list('<media type>'), default: [], doc: 'The same.' },
          actions: { kind: list('<pull|push|delete|mount>', checkAction), default: [], doc: 'Actions that it is not told of.' },
        }),
        default: { mediaTypes: [], actions: [] },
        doc: 'Events that it is not told of.',
      },
    })),
    default: [],
    doc: 'Webhooks that are told of pushes, pulls and deletes, in Distribution\'s format.',
  },
  notificationReferences: {
    yaml: 'notifications.events.includereferences',
    kind: toggle,
    default: false,
    doc: 'Events of a manifest list what it refers to.',
  },
}

function checkAction(action: string): void {
  if (!['pull', 'push', 'delete', 'mount'].includes(action)) throw new Error(`'${action}' is none of pull, push, delete, mount`)
}
