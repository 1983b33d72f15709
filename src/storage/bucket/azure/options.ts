/** What may be said of a container: the parameters of Distribution's `azure` driver that still mean something. */
export interface AzureOptions {
  readonly accountName: string
  /** Signs what is asked. Not with `credentials` of another type. */
  readonly accountKey?: string | undefined
  readonly container: string
  /** @default core.windows.net */
  readonly realm?: string | undefined
  /** @default the account's at the realm, by TLS */
  readonly serviceUrl?: string | undefined
  /** What all names begin with. */
  readonly rootDirectory?: string | undefined
  /** Who asks. @default the account's key, or what Azure's environment says where there is none */
  readonly credentials?: AzureCredentials | undefined
}

export interface AzureCredentials {
  readonly type?: 'shared_key' | 'client_secret' | 'default_credentials' | undefined
  readonly clientId?: string | undefined
  readonly tenantId?: string | undefined
  readonly secret?: string | undefined
}

/** A container can't be used as it is configured; the message says all that is wrong and is meant for whoever started Disco. */
export class AzureOptionsError extends Error {
  override readonly name = 'AzureOptionsError'
}

export interface SettledAzure {
  readonly accountName: string
  readonly container: string
  /** Without a slash at its end. */
  readonly serviceUrl: string
  readonly rootDirectory: string
  readonly login:
    | { readonly type: 'shared_key'; readonly key: string }
    | { readonly type: 'client_secret'; readonly client: string; readonly tenant: string; readonly secret: string }
    | { readonly type: 'default_credentials' }
}

/** With the defaults. @throws AzureOptionsError */
export function settleAzure(options: AzureOptions): SettledAzure {
  const { accountName, accountKey, container, realm = 'core.windows.net', credentials = {}, rootDirectory = '' } = options
  const { type = accountKey === undefined ? 'default_credentials' : 'shared_key', clientId, tenantId, secret } = credentials
  const missing = type !== 'client_secret' ? [] : Object.entries({ clientid: clientId, tenantid: tenantId, secret }).flatMap(([name, value]) => (value === undefined ? [name] : []))
  const faults = [
    ...(accountName === '' ? ['accountname is missing'] : []),
    ...(container === '' ? ['container is missing'] : []),
    ...(type === 'shared_key' && accountKey === undefined ? ['accountkey is missing, which credentials.type shared_key signs with'] : []),
    ...(type === 'shared_key' && accountKey !== undefined && !/^[A-Za-z0-9+/]+={0,2}$/.test(accountKey) ? ['accountkey is no base64, as Azure\'s keys are'] : []),
    ...missing.map((name) => `credentials.${name} is missing, which type client_secret needs`),
  ]
  if (faults.length > 0) throw new AzureOptionsError(faults.join('; '))
  return {
    accountName,
    container,
    serviceUrl: (options.serviceUrl ?? `https://${accountName}.blob.${realm}`).replace(/\/+$/, ''),
    rootDirectory: rootDirectory.replace(/^\/+|\/+$/g, ''),
    login: type === 'shared_key' ? { type, key: accountKey ?? '' }
      : type === 'client_secret' ? { type, client: clientId ?? '', tenant: tenantId ?? '', secret: secret ?? '' }
      : { type },
  }
}
