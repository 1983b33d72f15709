import { hash } from 'bcryptjs'

const USER = 'bench'
const PASSWORD = 'bench'

/** Sent with every request, to all alike: those that ask nobody leave it unread. */
export const AUTHORIZATION: string = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`

/** A line of an htpasswd file. */
export async function passwordLine(): Promise<string> {
  return `${USER}:${await hash(PASSWORD, 10)}\n`
}
