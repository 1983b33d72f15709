import { KuboRefusedError } from './errors.ts'

/** Characters of a refusal that are read. */
export const MAX_REFUSAL = 4096

/** `{"Message":"file does not exist","Code":0,"Type":"error"}`, or a line of a server before it. */
export function refusalOf(node: string, command: string, { status, text }: { readonly status: number; readonly text: string }): KuboRefusedError {
  try {
    const { Message } = JSON.parse(text) as { Message?: unknown }
    if (typeof Message === 'string') return new KuboRefusedError(node, command, Message)
  } catch {
    // not Kubo's own words
  }
  const said = printable(text).slice(0, 200)
  return new KuboRefusedError(node, command, `status ${status}${said === '' ? '' : `: ${said}`}`, status)
}

/** What nobody knows who wrote, in one line that steers no terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\s\p{Cc}\p{Cf}]+/gu, ' ').trim()
}

/** What is told of a refusal; the rest is read too, so that the connection can be kept. */
export async function beginningOf(answer: AsyncIterable<unknown>): Promise<string> {
  let text = ''
  for await (const chunk of answer) if (text.length < MAX_REFUSAL) text += String(chunk)
  return text
}
