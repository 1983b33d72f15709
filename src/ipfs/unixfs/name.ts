/** Whether a link's name can be the name of a file: none of them may lead out of its directory. */
export function isFileName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\\\0]/.test(name)
}
