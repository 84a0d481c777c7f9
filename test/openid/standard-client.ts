import { createHash } from 'node:crypto'
import type { ConsentOptions } from '../../sandbox/doubles/consent.ts'
import type { Answer, ProviderName } from '../support/login-flow.ts'
import { get, openCallback, post } from '../support/login-flow.ts'
import type { TestService } from '../support/service.ts'
import { redirectUrl } from '../support/service.ts'

/** A client of the tests as its site registered it. */
export interface Client {
  readonly id: string
  readonly secret: string
  readonly redirectUri?: string
}

export type Fields = Readonly<Record<string, string>>

/** The verifier of a client, and what it sends of it with the authorization request (RFC 7636). */
export const verifier = 'the-verifier-of-a-standard-client-43-characters'
export const pkce = {
  code_challenge: createHash('sha256').update(verifier).digest('base64url'),
  code_challenge_method: 'S256',
}

export const paths = {
  authorization: '/api/v1/oauth/login/',
  token: '/api/v1/oauth/token/',
  userinfo: '/api/v1/oauth/userinfo/',
  logout: '/api/v1/oauth/logout/',
} as const

/** The parameters of a usual authorization request; an empty text takes one away, as absent and empty are the same. */
export function authorizationRequest(client: Client, fields: Fields = {}): Fields {
  return {
    client_id: client.id,
    redirect_uri: client.redirectUri ?? redirectUrl,
    response_type: 'code',
    scope: 'openid profile email',
    state: 'state-of-the-client',
    nonce: 'nonce-of-the-client',
    provider: 'yandex',
    ...fields,
  }
}

/** Opens the authorization endpoint, following no redirect. */
export function authorize(
  service: Pick<TestService, 'url'>,
  client: Client,
  fields: Fields = {},
  headers: Fields = { accept: 'text/html' },
): Promise<Answer> {
  const query = new URLSearchParams(authorizationRequest(client, fields)).toString()
  return get(service, `${paths.authorization}?${query}`, headers)
}

/** The query of a redirect. */
export function answered(answer: Answer): Fields {
  const location = answer.headers.get('location')
  if (location === null) throw new Error(`no redirect: ${answer.status} ${answer.text}`)
  return Object.fromEntries(new URL(location).searchParams)
}

/** Authorization request, consent at the provider, callback. @returns the answer at which the browser goes back */
export async function loginUntilReturn(
  service: TestService,
  client: Client,
  fields: Fields = {},
  consent: ConsentOptions = {},
): Promise<Answer> {
  const on = await authorize(service, client, fields)
  const location = on.headers.get('location')
  if (location === null) throw new Error(`no redirect: ${on.status} ${on.text}`)
  return await consentTo(service, location, consent)
}

/**
 * Plays browser and person from a client's own authorization URL on; where the page asks for a provider, it is Yandex.
 * @returns the URL to which the browser comes back
 */
export async function returnOf(service: TestService, authorizationUrl: string): Promise<URL> {
  const first = await fetch(authorizationUrl, { redirect: 'manual' })
  const choose = /href="(\?[^"]*provider=yandex)"/.exec(await first.text())?.[1]?.replaceAll('&#38;', '&')
  const on =
    choose === undefined ? first : await fetch(new URL(choose, authorizationUrl), { redirect: 'manual' })
  const back = await consentTo(service, on.headers.get('location') ?? '')
  return new URL(back.headers.get('location') ?? '')
}

async function consentTo(
  service: TestService,
  location: string,
  options: ConsentOptions = {},
): Promise<Answer> {
  const provider = Object.entries(service.doubles).find(([, double]) => location.startsWith(double.origin))
  if (provider === undefined) throw new Error(`not to a provider: ${location}`)
  return await openCallback(
    service,
    await service.doubles[provider[0] as ProviderName].consent(location, options),
  )
}

/** The same, and the code that came back. */
export async function codeFor(
  service: TestService,
  client: Client,
  fields: Fields = {},
  consent: ConsentOptions = {},
): Promise<string> {
  const { code } = answered(await loginUntilReturn(service, client, fields, consent))
  if (code === undefined) throw new Error('no code came back')
  return code
}

/** Posts to the token endpoint with client_secret_post unless `fields` say otherwise; an empty text takes one away. */
export function requestTokens(
  service: Pick<TestService, 'url'>,
  client: Client,
  fields: Fields,
  headers: Fields = {},
): Promise<Answer> {
  const body = {
    grant_type: 'authorization_code',
    redirect_uri: client.redirectUri ?? redirectUrl,
    client_id: client.id,
    client_secret: client.secret,
    ...fields,
  }
  return post(service, paths.token, body, { headers })
}

/** A whole login. @returns the token response */
export async function logInByOpenid(
  service: TestService,
  client: Client,
  fields: Fields = {},
): Promise<Answer> {
  const answer = await requestTokens(service, client, { code: await codeFor(service, client, fields) })
  if (answer.status !== 200) throw new Error(`token: ${answer.status} ${answer.text}`)
  return answer
}
