import { createInterface } from 'node:readline'

/** What the site of these programs knows; the harness sets it. */
export const site = {
  authUrl: variable('AUTH_URL'),
  id: variable('SITE_ID'),
  secret: variable('SITE_SECRET'),
  redirectUrl: variable('REDIRECT_URL'),
}

/** HTTP Basic, for generators whose clients leave it to the caller. */
export const basic = { authorization: `Basic ${btoa(`${site.id}:${site.secret}`)}` }

export function bearer(token: string): { readonly authorization: string } {
  return { authorization: `Bearer ${token}` }
}

function variable(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set`)
  return value
}

/** Prints a line for the harness. */
export function tell(name: string, value: string | number | boolean | null | undefined): void {
  process.stdout.write(`${name} ${value}\n`)
}

/** The code that the person brought back. */
export async function code(): Promise<string> {
  for await (const line of createInterface({ input: process.stdin })) return line
  throw new Error('Standard input ended before the code came.')
}

/** A value that a good answer must have. */
export function had<T>(value: T | null | undefined, what: string): T {
  if (value === undefined || value === null) throw new Error(`There is no ${what}.`)
  return value
}
