/**
 * A command that finds `etc`'s `hosts` and `docker/` as `/etc/hosts` and `/etc/docker`, in a mount namespace of its own: the
 * machine's files stay as they are. Without `etc` it is the command itself.
 */
export function withEtc(etc: string | undefined, command: string, args: readonly string[]): [command: string, args: string[]] {
  if (etc === undefined) return [command, [...args]]
  const mounts = 'mkdir -p /etc/docker && mount --bind "$0/hosts" /etc/hosts && mount --bind "$0/docker" /etc/docker'
  return ['unshare', ['--mount', 'sh', '-c', `${mounts} && exec "$@"`, etc, command, ...args]]
}
