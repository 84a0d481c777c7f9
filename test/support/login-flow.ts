import { createHash } from 'node:crypto'
import type { ConsentOptions } from '../../sandbox/doubles/consent.ts'
import type { TestService } from './service.ts'
import { redirectUrl } from './service.ts'

/** What a login needs of a service: its URL, and the doubles, which also act for the person. */
export type FlowService = Pick<TestService, 'url' | 'doubles'> & {
  readonly config: Pick<TestService['config'], 'publicUrl'>
}

/** Names of the providers that have a double. */
export type ProviderName = keyof TestService['doubles']

/** A form in one of the encodings that the service takes. */
export type Encoding = 'urlencoded' | 'multipart' | 'json'

/** Fields in their order; a name may occur more than once. */
export type Fields = readonly (readonly [string, string])[]

/** An HTTP response, read; `json` is empty where the body is no JSON object. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: Readonly<Record<string, unknown>>
}

/** The verifier of a caller that binds its login by PKCE (RFC 7636). */
export const verifier = 'a-verifier-of-the-caller-43-characters-long'

/** The fields of a start that bind a login to this verifier. */
export const bound = {
  code_challenge: createHash('sha256').update(verifier).digest('base64url'),
  code_challenge_method: 'S256',
}

/** POSTs fields as a form (or JSON) to a path of the service. */
export async function post(
  service: Pick<TestService, 'url'>,
  path: string,
  fields: Fields | Readonly<Record<string, string>>,
  options: { encoding?: Encoding; headers?: Readonly<Record<string, string>>; contentType?: string } = {},
): Promise<Answer> {
  const entries = isList(fields) ? fields : Object.entries(fields)
  const headers = new Headers(options.headers)
  let body: string | FormData | URLSearchParams
  if (options.encoding === 'multipart') {
    body = new FormData()
    for (const [name, value] of entries) body.append(name, value)
  } else if (options.encoding === 'json') {
    body = JSON.stringify(Object.fromEntries(entries))
    headers.set('content-type', 'application/json')
  } else {
    body = new URLSearchParams(entries.map(([name, value]): [string, string] => [name, value])).toString()
    headers.set('content-type', options.contentType ?? 'application/x-www-form-urlencoded')
  }
  return readResponse(await fetch(service.url + path, { method: 'POST', headers, body, redirect: 'manual' }))
}

function isList(fields: Fields | Readonly<Record<string, string>>): fields is Fields {
  return Array.isArray(fields)
}

/** GETs a path of the service, following no redirect. */
export async function get(
  service: Pick<TestService, 'url'>,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return readResponse(await fetch(service.url + path, { headers, redirect: 'manual' }))
}

/** Reads a response to its end. */
export async function readResponse(response: Response): Promise<Answer> {
  const text = await response.text()
  const json: unknown = /json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : {}
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: typeof json === 'object' && json !== null ? Object.fromEntries(Object.entries(json)) : {},
  }
}

/** HTTP Basic for a site. */
export function basic(site: { readonly id: string; readonly secret: string }): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${site.id}:${site.secret}`).toString('base64')}` }
}

/** A string member of a JSON response. */
export function text(answer: Answer, member: string): string {
  const value = answer.json[member]
  if (typeof value !== 'string') throw new Error(`no ${member} in ${answer.status} ${answer.text}`)
  return value
}

/** Request 1 of the guide: starts a login. */
export async function start(
  service: FlowService,
  provider: ProviderName = 'yandex',
  fields: Readonly<Record<string, string>> = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<{ state: string; authorizeUrl: string }> {
  const body = { provider, client_redirect_url: redirectUrl, ...fields }
  const answer = await post(service, '/api/v1/oauth/authorize-url/', body, { headers })
  if (answer.status !== 200) throw new Error(`start: ${answer.status} ${answer.text}`)
  return { state: text(answer, 'state'), authorizeUrl: text(answer, 'authorize_url') }
}

/** Does what the browser does with the callback URL that the provider made, at the address where the service listens. */
export async function openCallback(
  service: FlowService,
  callbackUrl: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  // Cut off rather than parsed and rebuilt, so that the code stays as the provider wrote it.
  const relative = callbackUrl.slice(service.config.publicUrl.length)
  const [path = '', query = ''] = relative.split(/\?(.*)/s)
  const byForm = Object.values(service.doubles).some(
    ({ name, callbackMethod }) => callbackMethod === 'POST' && path.endsWith(`/callback/${name}`),
  )
  if (!byForm) return get(service, relative, headers)
  return post(service, path, [...new URLSearchParams(query)], { headers })
}

/** The parameters of a `Location`, as the site's framework would hand them to its handler. */
export function locationFields(answer: Answer): [string, string][] {
  const location = answer.headers.get('location')
  if (location === null) throw new Error(`no location: ${answer.status} ${answer.text}`)
  return [...new URL(location).searchParams]
}

/** Start, consent and callback of a login. @returns what the backend of a site then posts to finish it */
export async function loginToFinish(
  service: FlowService,
  provider: ProviderName = 'yandex',
  options: ConsentOptions & {
    fields?: Readonly<Record<string, string>>
    headers?: Readonly<Record<string, string>>
  } = {},
): Promise<{ provider: string; state: string; code: string }> {
  const { state, authorizeUrl } = await start(service, provider, options.fields, options.headers)
  const redirect = await openCallback(service, await service.doubles[provider].consent(authorizeUrl, options))
  const fields = Object.fromEntries(locationFields(redirect))
  return { provider, state, code: fields.code ?? '' }
}

/** Request 2 of the guide: finishes a login. */
export function finish(
  service: FlowService,
  fields: Fields | Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return post(service, '/api/v1/oauth/authorize/', fields, { headers })
}

/** A whole login. @returns its tokens */
export async function logIn(
  service: FlowService,
  provider: ProviderName = 'yandex',
  options: ConsentOptions = {},
): Promise<{ accessToken: string; refreshToken: string }> {
  const answer = await finish(service, await loginToFinish(service, provider, options))
  return { accessToken: text(answer, 'access_token'), refreshToken: text(answer, 'refresh_token') }
}
