import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { get, locationFields, openCallback } from './login-flow.ts'
import { end } from './process.ts'
import type { TestService } from './service.ts'
import { registerSite, startTestService } from './service.ts'

/** A site that must authenticate with each request, and its credentials. */
export interface SiteWithSecret {
  readonly id: string
  readonly secret: string
  readonly redirectUrl: string
}

/** Starts the service with a site that must send its secret: requests without it fail. */
export async function startServiceWithSite(
  test: Pick<Test, 'teardown'>,
): Promise<{ readonly service: TestService; readonly site: SiteWithSecret }> {
  const service = await startTestService(test)
  const redirectUrl = 'https://generated.example/oauth/return'
  return { service, site: { redirectUrl, ...(await registerSite(service.database, redirectUrl, true)) } }
}

/** The document that a client is generated from: one of the two, or the first one as an earlier version would have had it. */
export type DocumentName = '/openapi.json' | '/openapi-3.0.json' | 'an older document'

/** Members and a problem that the service sends but the older document does not have. */
const notInOlderDocument: ReadonlySet<unknown> = new Set([
  'session_id',
  'docs',
  'sid',
  'urn:auth-movies:problem:unknown-login',
])

/** Writes an OpenAPI document of the service into a folder. @returns the file */
export async function saveDocument(
  service: Pick<TestService, 'url'>,
  folder: string,
  name: DocumentName = '/openapi.json',
): Promise<string> {
  const { text } = await get(service, name === 'an older document' ? '/openapi.json' : name)
  const file = join(folder, 'openapi.json')
  await writeFile(file, name === 'an older document' ? olderDocument(text) : text)
  return file
}

function olderDocument(document: string): string {
  const earlier: unknown = JSON.parse(document, (key, value: unknown) => {
    if (notInOlderDocument.has(key)) return undefined
    return Array.isArray(value) ? value.filter((item) => !notInOlderDocument.has(item)) : value
  })
  return JSON.stringify(earlier)
}

/** What a program printed: one `name value` per line. */
export type PrintedValues = Readonly<Record<string, string>>

/**
 * Runs a program that logs a person in through a generated client, and plays the person. All programs do the same,
 * in test/clients/programs: they read AUTH_URL, SITE_ID, SITE_SECRET and REDIRECT_URL from the environment, start
 * a login, print `state` and `authorize_url`, read the code from standard input, finish, ask for the profile,
 * refresh, introspect, revoke, ask for the profile in vain, and finish a login that does not exist.
 * @returns what it printed
 * @throws an error with its output if it does not end with code 0 within a minute
 */
export async function runLoginProgram(
  { service, site }: { readonly service: TestService; readonly site: SiteWithSecret },
  program: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<PrintedValues> {
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: {
      ...process.env,
      ...options.env,
      AUTH_URL: service.url,
      SITE_ID: site.id,
      SITE_SECRET: site.secret,
      REDIRECT_URL: site.redirectUrl,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const closed = once(child, 'close')
  const alarm = setTimeout(() => void end(child, 'SIGKILL'), 60_000)
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  child.stdin.on('error', () => {})
  const told: Record<string, string> = {}
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const space = line.indexOf(' ')
      const name = line.slice(0, space)
      told[name] = line.slice(space + 1)
      if (name === 'authorize_url') child.stdin.end(`${await consent(service, line.slice(space + 1))}\n`)
    }
    const [code] = await closed
    if (code !== 0) throw new Error(`${program} ended with ${code}: ${JSON.stringify(told)}\n${errors}`)
    return told
  } finally {
    clearTimeout(alarm)
    await end(child, 'SIGKILL')
  }
}

/** Plays the person who allows the login. @returns the code of the callback to the site */
async function consent(service: TestService, authorizeUrl: string): Promise<string> {
  const answer = await openCallback(service, await service.doubles.yandex.consent(authorizeUrl))
  return Object.fromEntries(locationFields(answer)).code ?? ''
}

/** What every program must print, with any generator's client. */
export function expectedValues(site: SiteWithSecret): Readonly<Record<string, string | RegExp>> {
  return {
    token_type: 'Bearer',
    expires_in: '900',
    name: 'Анна Демидова',
    refreshed: 'true',
    active: 'true',
    audience: site.id,
    ended: 'urn:auth-movies:problem:token-invalid',
    refused: 'urn:auth-movies:problem:unknown-login',
    message: /^\p{Lu}.*\.$/u,
  }
}
