import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { addSite } from '../../src/sites/store.ts'
import { siteRules } from '../../src/sites/validate.ts'
import type { TestService } from '../support/service.ts'
import { startTestService } from '../support/service.ts'
import type { Client } from './standard-client.ts'
import { returnOf } from './standard-client.ts'

/** A service that clients reach, and a site for one of them. */
export interface ServiceForClient {
  readonly service: TestService
  readonly client: Client & { readonly redirectUri: string }
}

/** Starts a service and registers a site with this redirect URI. */
export async function serviceForClient(
  test: Pick<Test, 'teardown'>,
  redirectUri = 'http://127.0.0.1:8765/return',
): Promise<ServiceForClient> {
  const service = await startTestService(test, { reachable: true })
  const site = await addSite(
    service.database,
    { name: 'A standard client', redirectUrls: [redirectUri] },
    siteRules('development', [{ name: 'yandex' }, { name: 'google' }, { name: 'mail' }]),
  )
  return { service, client: { ...site, redirectUri } }
}

/**
 * Runs a client in another language, which gets issuer, id, secret and redirect URI by its environment. It prints lines of a
 * name and a value; each `authorization_url` is opened in a browser, and where that comes back is written to its input.
 * @returns the values by name
 */
export async function runProgram(
  { service, client }: ServiceForClient,
  program: string,
  args: readonly string[] = [],
  cwd?: string,
): Promise<Readonly<Record<string, string>>> {
  const child = spawn(program, args, {
    env: {
      ...process.env,
      ISSUER: service.config.publicUrl,
      CLIENT_ID: client.id,
      CLIENT_SECRET: client.secret,
      REDIRECT_URI: client.redirectUri,
      // Python's libraries refuse plain http by themselves.
      OAUTHLIB_INSECURE_TRANSPORT: '1',
      PYTHONIOENCODING: 'utf-8',
    },
    ...(cwd !== undefined && { cwd }),
  })
  const closed = once(child, 'close')
  const alarm = setTimeout(() => child.kill('SIGKILL'), 60_000)
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  child.stdin.on('error', () => {})
  const told: Record<string, string> = {}
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const [name = '', ...value] = line.split(' ')
      if (name === 'authorization_url') {
        const back = await returnOf(service, value.join(' '))
        child.stdin.write(`${back.href}\n`)
      } else told[name] = value.join(' ')
    }
    const [code] = await closed
    if (code !== 0) throw new Error(`${program} ended with ${code}: ${JSON.stringify(told)}\n${errors}`)
    return told
  } finally {
    clearTimeout(alarm)
    child.kill('SIGKILL')
  }
}
