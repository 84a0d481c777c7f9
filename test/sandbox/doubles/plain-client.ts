import { createPrivateKey } from 'node:crypto'
import { SignJWT } from 'jose'
import { apple } from '../../../sandbox/doubles/apple.ts'
import type { DoubleOptions, ProviderDouble } from '../../../sandbox/doubles/double.ts'
import { serveDouble } from '../../../sandbox/doubles/double.ts'
import { github } from '../../../sandbox/doubles/github.ts'
import { startGoogleDouble } from '../../../sandbox/doubles/google.ts'
import { startMailDouble } from '../../../sandbox/doubles/mail.ts'
import { telegram } from '../../../sandbox/doubles/telegram.ts'
import { tid } from '../../../sandbox/doubles/tid.ts'
import { vkid } from '../../../sandbox/doubles/vkid.ts'
import { startYandexDouble } from '../../../sandbox/doubles/yandex.ts'

export const redirectUri = 'https://auth.example/callback?fixed=1'
export const verifier = 'a'.repeat(43)
/** S256 of the verifier above (RFC 7636 §4.2). */
export const challenge = 'ZtNPunH49FD35FWYhT5Tv8I7vRKQJ8uxMaL0_9eHjNA'

/** What a client must know to speak to a double. */
interface Spoken {
  readonly name: string
  readonly start: (options: DoubleOptions) => Promise<ProviderDouble>
  readonly scope?: string
  /** Further parameters of the authorization request. */
  readonly asks?: Readonly<Record<string, string>>
  /** How the client authenticates at the token endpoint; in the body where absent. */
  readonly auth?: 'basic' | 'none' | 'signed'
  readonly wrongCode: { readonly status: number; readonly body: Readonly<Record<string, unknown>> }
  readonly wrongVerifier: { readonly status: number; readonly error: string }
  readonly wrongClient?: RegExp
  /** What it calls a refusal at the callback. */
  readonly denied?: string
  /** The status of userinfo without a usable token; absent where there is no userinfo. */
  readonly wrongToken?: number
  /** Whether userinfo is a GET whose response is the person, without a frame. */
  readonly plainUserinfo?: true
  readonly subject: string
}

const grantError = (error: string, status = 400) => ({
  wrongCode: { status, body: { error } },
  wrongVerifier: { status, error },
})

/** All doubles. */
export const doubles: readonly Spoken[] = [
  {
    name: 'yandex',
    start: startYandexDouble,
    scope: 'login:email login:info',
    ...grantError('invalid_grant'),
    wrongCode: { status: 400, body: { error: 'invalid_grant', error_description: 'Code has expired' } },
    wrongToken: 401,
    plainUserinfo: true,
    subject: 'id',
  },
  {
    name: 'google',
    start: startGoogleDouble,
    scope: 'openid email profile',
    ...grantError('invalid_grant'),
    wrongCode: { status: 400, body: { error: 'invalid_grant', error_description: 'Bad Request' } },
    wrongToken: 401,
    plainUserinfo: true,
    subject: 'sub',
  },
  {
    name: 'mail',
    start: startMailDouble,
    scope: 'userinfo',
    ...grantError('token not found', 200),
    wrongCode: {
      status: 200,
      body: { error: 'token not found', error_code: 6, error_description: 'token not found' },
    },
    wrongToken: 200,
    plainUserinfo: true,
    subject: 'id',
  },
  {
    name: 'vkid',
    start: (options) => serveDouble(vkid(), options),
    scope: 'vkid.personal_info email',
    asks: { code_challenge: challenge, code_challenge_method: 's256' },
    auth: 'none',
    wrongCode: { status: 200, body: { error: 'invalid_grant' } },
    wrongVerifier: { status: 200, error: 'invalid_request' },
    wrongToken: 200,
    subject: 'user_id',
  },
  {
    name: 'tid',
    start: (options) => serveDouble(tid(), options),
    auth: 'basic',
    ...grantError('invalid_grant'),
    wrongToken: 401,
    subject: 'sub',
  },
  {
    name: 'telegram',
    start: (options) => serveDouble(telegram(), options),
    scope: 'openid profile',
    auth: 'basic',
    ...grantError('invalid_grant'),
    subject: 'id',
  },
  {
    name: 'apple',
    start: (options) => serveDouble(apple(), options),
    scope: 'name email',
    asks: { response_mode: 'form_post' },
    auth: 'signed',
    ...grantError('invalid_grant'),
    denied: 'user_cancelled_authorize',
    subject: 'sub',
  },
  {
    name: 'github',
    start: (options) => serveDouble(github(), options),
    scope: 'read:user user:email',
    ...grantError('bad_verification_code', 200),
    wrongClient: /incorrect_client_credentials/,
    wrongToken: 401,
    plainUserinfo: true,
    subject: 'id',
  },
]

function spoken({ name }: ProviderDouble): Spoken {
  const found = doubles.find((one) => one.name === name)
  if (found === undefined) throw new Error(`no double is named ${name}`)
  return found
}

/** Lets a person consent, and remembers the device that the exchange of this code must name. */
export async function consent(
  double: ProviderDouble,
  url: string,
  options?: Parameters<ProviderDouble['consent']>[1],
): Promise<string> {
  const callback = await double.consent(url, options)
  const { searchParams } = new URL(callback)
  devices.set(searchParams.get('code') ?? '', searchParams.get('device_id') ?? undefined)
  return callback
}

const devices = new Map<string, string | undefined>()

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
    scope: spoken(double).scope,
    state: 'the-state',
    ...spoken(double).asks,
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

/** A token request as this provider wants it; `undefined` takes a field away. */
export async function exchange(
  double: ProviderDouble,
  code: string | null,
  changes: Record<string, string | undefined> = {},
  headers: Record<string, string> = {},
): Promise<Received> {
  const { asks = {}, auth } = spoken(double)
  const fields: Record<string, string | undefined> = {
    grant_type: 'authorization_code',
    code: code ?? undefined,
    redirect_uri: redirectUri,
    client_id: setting(double, 'CLIENT_ID'),
    client_secret: await secretOf(double),
    device_id: devices.get(code ?? ''),
    ...('code_challenge' in asks && { code_verifier: verifier }),
    ...changes,
  }
  const sent = new Headers({ accept: 'application/json', ...headers })
  if (auth === 'basic') {
    const { client_id: id = '', client_secret: secret = '' } = fields
    sent.set('authorization', `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`)
    fields.client_secret = undefined
  }
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) form.set(name, value)
  return received(await fetch(setting(double, 'TOKEN_URL'), { method: 'POST', body: form, headers: sent }))
}

async function secretOf(double: ProviderDouble): Promise<string | undefined> {
  const { auth } = spoken(double)
  if (auth === 'none') return undefined
  if (auth !== 'signed') return setting(double, 'CLIENT_SECRET')
  return new SignJWT()
    .setProtectedHeader({ alg: 'ES256', kid: setting(double, 'KEY_ID') })
    .setIssuer(setting(double, 'TEAM_ID'))
    .setSubject(setting(double, 'CLIENT_ID'))
    .setAudience('https://appleid.apple.com')
    .setIssuedAt()
    .setExpirationTime('5 minutes')
    .sign(createPrivateKey(setting(double, 'PRIVATE_KEY').replaceAll('\\n', '\n')))
}

/** Userinfo as this provider wants to be asked. */
export async function userinfo(double: ProviderDouble, accessToken: unknown): Promise<Received> {
  const url = new URL(setting(double, 'USERINFO_URL'))
  const headers = new Headers({ 'user-agent': 'a plain client' })
  if (double.name === 'mail') url.searchParams.set('access_token', String(accessToken))
  else headers.set('authorization', `${double.name === 'yandex' ? 'OAuth' : 'Bearer'} ${String(accessToken)}`)
  if (spoken(double).plainUserinfo === true) return received(await fetch(url, { headers }))
  const body = new URLSearchParams({ client_id: setting(double, 'CLIENT_ID') })
  if (spoken(double).auth === 'basic') body.set('client_secret', setting(double, 'CLIENT_SECRET'))
  const answer = await received(await fetch(url, { method: 'POST', headers, body }))
  const { user } = answer.body
  return typeof user === 'object' && user !== null ? { ...answer, body: { ...user } } : answer
}

/** A whole login: the code of the callback, exchanged; then the profile. */
export async function logIn(
  double: ProviderDouble,
  person: Parameters<ProviderDouble['consent']>[1] = {},
  changes: Record<string, string | undefined> = {},
): Promise<{ tokens: Received; profile: Received }> {
  const callback = new URL(await consent(double, authorizeUrl(double, changes), person))
  const tokens = await exchange(double, callback.searchParams.get('code'))
  if (spoken(double).wrongToken === undefined) return { tokens, profile: tokens }
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
