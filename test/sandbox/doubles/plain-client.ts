import type { ProviderDouble } from '../../../sandbox/doubles/double.ts'
import { startGoogleDouble } from '../../../sandbox/doubles/google.ts'
import { startMailDouble } from '../../../sandbox/doubles/mail.ts'
import { startYandexDouble } from '../../../sandbox/doubles/yandex.ts'

export const redirectUri = 'https://auth.example/callback?fixed=1'
export const verifier = 'a'.repeat(43)
/** S256 of the verifier above (RFC 7636 §4.2). */
export const challenge = 'ZtNPunH49FD35FWYhT5Tv8I7vRKQJ8uxMaL0_9eHjNA'

/** All doubles, with what a client must know to speak to each. */
export const doubles = [
  {
    name: 'yandex',
    start: startYandexDouble,
    scope: 'login:email login:info',
    wrongCode: { status: 400, body: { error: 'invalid_grant', error_description: 'Code has expired' } },
    wrongVerifier: { status: 400, error: 'invalid_grant' },
    wrongToken: 401,
    subject: 'id',
  },
  {
    name: 'google',
    start: startGoogleDouble,
    scope: 'openid email profile',
    wrongCode: { status: 400, body: { error: 'invalid_grant', error_description: 'Bad Request' } },
    wrongVerifier: { status: 400, error: 'invalid_grant' },
    wrongToken: 401,
    subject: 'sub',
  },
  {
    name: 'mail',
    start: startMailDouble,
    scope: 'userinfo',
    wrongCode: {
      status: 200,
      body: { error: 'token not found', error_code: 6, error_description: 'token not found' },
    },
    wrongVerifier: { status: 200, error: 'token not found' },
    wrongToken: 200,
    subject: 'id',
  },
] as const

/** A variable that the double hands to the service, without its prefix. */
export function setting(double: ProviderDouble, suffix: string): string {
  const value = double.env[`${double.name.toUpperCase()}_${suffix}`]
  if (value === undefined) throw new Error(`The ${double.name} double gives no ${suffix}`)
  return value
}

/** An authorization URL as the service makes it; `undefined` takes a parameter away. */
export function authorizeUrl(
  double: ProviderDouble,
  changes: Record<string, string | undefined> = {},
): string {
  const url = new URL(setting(double, 'AUTHORIZE_URL'))
  const parameters: Record<string, string | undefined> = {
    response_type: 'code',
    client_id: setting(double, 'CLIENT_ID'),
    redirect_uri: redirectUri,
    scope: doubles.find(({ name }) => name === double.name)?.scope,
    state: 'the-state',
    ...changes,
  }
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined) url.searchParams.set(name, value)
  return url.href
}

/** What came back, as a client reads it. */
export interface Received {
  readonly status: number
  readonly type: string | null
  readonly body: Record<string, unknown>
}

/** A token request with body credentials; `undefined` takes a field away. */
export async function exchange(
  double: ProviderDouble,
  code: string | null,
  changes: Record<string, string | undefined> = {},
  headers: Record<string, string> = {},
): Promise<Received> {
  const form = new URLSearchParams()
  const fields: Record<string, string | undefined> = {
    grant_type: 'authorization_code',
    code: code ?? undefined,
    redirect_uri: redirectUri,
    client_id: setting(double, 'CLIENT_ID'),
    client_secret: setting(double, 'CLIENT_SECRET'),
    ...changes,
  }
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) form.set(name, value)
  return received(await fetch(setting(double, 'TOKEN_URL'), { method: 'POST', body: form, headers }))
}

/** Userinfo as this provider wants to be asked. */
export async function userinfo(double: ProviderDouble, accessToken: unknown): Promise<Received> {
  const url = new URL(setting(double, 'USERINFO_URL'))
  const headers = new Headers()
  if (double.name === 'mail') url.searchParams.set('access_token', String(accessToken))
  else headers.set('authorization', `${double.name === 'yandex' ? 'OAuth' : 'Bearer'} ${String(accessToken)}`)
  return received(await fetch(url, { headers }))
}

/** A whole login: the code of the callback, exchanged; then the profile. */
export async function logIn(
  double: ProviderDouble,
  person: Parameters<ProviderDouble['consent']>[1] = {},
  changes: Record<string, string | undefined> = {},
): Promise<{ tokens: Received; profile: Received }> {
  const callback = new URL(await double.consent(authorizeUrl(double, changes), person))
  const tokens = await exchange(double, callback.searchParams.get('code'))
  return { tokens, profile: await userinfo(double, tokens.body['access_token']) }
}

/** Reads a response with any body. */
export async function received(response: Response): Promise<Received> {
  const text = await response.text()
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    body = undefined
  }
  const fields = typeof body === 'object' && body !== null ? { ...body } : { text }
  return { status: response.status, type: response.headers.get('content-type'), body: fields }
}
