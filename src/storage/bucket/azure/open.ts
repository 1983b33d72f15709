import { optionalPackage, type LoadPackage } from '../optional-package.ts'
import { AzureBucket } from './bucket.ts'
import { settleAzure, type AzureOptions, type SettledAzure } from './options.ts'
import type { AzureIdentity, AzureSdk, TokenCredential } from './sdk.ts'
import { keySignatures, tokenSignatures } from './signatures.ts'

/** Tries are counted in one place, ours, which can send a stream anew as well. */
const CLIENT = { retryOptions: { maxTries: 1 }, userAgentOptions: { userAgentPrefix: 'disco' } }

/** @throws AzureOptionsError, PackageMissingError */
export function azureBucket(options: AzureOptions, load: LoadPackage = optionalPackage): AzureBucket {
  const settled = settleAzure(options)
  const sdk = load('@azure/storage-blob') as AzureSdk
  const url = `${settled.serviceUrl}/${settled.container}`
  const { login, container, accountName, rootDirectory } = settled
  if (login.type === 'shared_key') {
    const client = new sdk.ContainerClient(url, new sdk.StorageSharedKeyCredential(accountName, login.key), CLIENT)
    return new AzureBucket(container, client, keySignatures(sdk), rootDirectory)
  }
  const credential = tokensOf(login, load('@azure/identity') as AzureIdentity)
  return new AzureBucket(container, new sdk.ContainerClient(url, credential, CLIENT), tokenSignatures(credential), rootDirectory)
}

function tokensOf(login: Exclude<SettledAzure['login'], { readonly type: 'shared_key' }>, { ClientSecretCredential, DefaultAzureCredential }: AzureIdentity): TokenCredential {
  return login.type === 'client_secret' ? new ClientSecretCredential(login.tenant, login.client, login.secret) : new DefaultAzureCredential()
}
