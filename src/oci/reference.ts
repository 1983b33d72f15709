/** distribution-spec §Pulling manifests: `<name>` MUST match this. */
const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
/** distribution-spec §Pulling manifests: `<reference>` as a tag MUST be at most 128 characters and match this. */
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/

/** Distribution's limit on the whole name, in characters; many clients count the host in as well. */
const MAX_NAME_LENGTH = 255

export function isRepositoryName(text: string): boolean {
  return text.length <= MAX_NAME_LENGTH && NAME.test(text)
}

export function isTag(text: string): boolean {
  return TAG.test(text)
}
