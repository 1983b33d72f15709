import { readdir, readFile } from 'node:fs/promises'

/** Peak resident memory of a process and of every process below it, in bytes each. */
export async function peakMemory(pid: number): Promise<number[]> {
  const peaks: number[] = []
  for (const member of await family(pid)) {
    const status = await readFile(`/proc/${member}/status`, 'utf8').catch(() => '')
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]
    if (kilobytes !== undefined) peaks.push(Number(kilobytes) * 1024)
  }
  return peaks
}

async function family(root: number): Promise<number[]> {
  const children = new Map<number, number[]>()
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => undefined)
    // The name, in parentheses, may hold anything: what follows it is `<state> <parent> …`.
    const parent = Number(stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)])
  }
  const members = [root]
  for (const member of members) members.push(...(children.get(member) ?? []))
  return members
}

/** CPU that a process has used so far, in seconds; what of its children has ended included. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  // proc_pid_stat(5): fields 14 to 17, in ticks of 10 ms.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0) / 100
}
