import type { FastifyRequest } from 'fastify'
import type { Mark } from '../../src/providers/mark.ts'
import type { Title } from '../web.ts'
import type { Endpoint, RawResponse } from './faults.ts'
import type { Grant, Grants } from './grants.ts'
import type { LoginFault } from './login-fault.ts'
import type { DoublePerson } from './people.ts'

/** A malformed callback, which a correct client must reject or tolerate. */
export type SpoiledCallback =
  | 'no-state'
  | 'changed-state'
  | 'repeated-state'
  | 'repeated-code'
  | 'code-and-error'
  | 'neither'

/** What can be switched at every double; each provider adds its own switches. A switch stays until it is set back. */
export interface CommonSwitches {
  /** Seconds; with 0 every code has expired. The providers that document it say ten minutes. */
  codeLifetime: number
  /** Seconds after which userinfo rejects the access token. `expires_in` stays the provider's usual value. */
  accessTokenLifetime: number
  /** The authorization endpoint redirects at once with this `error`, without showing a page. */
  refuseWith: string | undefined
  callback: SpoiledCallback | undefined
  /** The token endpoint rejects the client, as if its secret had been changed at the provider. */
  forgetClient: boolean
  /** Replaces fields of a successful token response, as `DoublePerson.raw` does. */
  tokenFields: Readonly<Record<string, unknown>>
  /** Changes the person who logs in. */
  person: Partial<DoublePerson>
}

/** The one application that is registered at a double. */
export interface Client {
  readonly id: string
  /** Empty where it has none. */
  readonly secret: string
}

/** What is wrong with an authorization request: an error page, or an error for the client (RFC 6749 §4.1.2.1). */
export type AuthorizationFlaw =
  | { readonly page: string; readonly status: number }
  | { readonly error: string; readonly description?: string }

/** A double's own state, handed to its rules. */
export interface Context<Switches extends CommonSwitches> {
  /** The base of all URLs; known once the server listens. */
  readonly origin: string
  readonly client: Client
  readonly grants: Grants
  readonly switches: Switches
}

/** A request at an endpoint of a double, with its body as sent. */
export interface EndpointRequest {
  readonly headers: FastifyRequest['headers']
  readonly query: URLSearchParams
  readonly body: string
}

/** A further endpoint of a double. */
export interface Route<Switches extends CommonSwitches> {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Names the endpoint for faults. */
  readonly endpoint?: Endpoint
  readonly respond: (
    request: EndpointRequest,
    context: Context<Switches>,
  ) => RawResponse | Promise<RawResponse>
}

/** Everything in which the double of one provider differs from the others. */
export interface ProviderRules<Switches extends CommonSwitches> {
  readonly name: string
  readonly title: Title
  readonly mark: Mark | undefined
  /** Whether its profile says that an email is verified. */
  readonly vouchesForEmail: boolean
  /** What its profile can have. */
  readonly gives: readonly ('name' | 'login' | 'email')[]
  readonly client: Client
  readonly paths: {
    readonly authorize: string
    readonly token: string
    /** Absent where the ID token says everything. */
    readonly userinfo?: string
  }
  /** POST: it sends the authorization response as a form (`form_post`). GET where absent. */
  readonly callbackMethod?: 'POST'
  /** How its userinfo is asked for; GET where absent. */
  readonly userinfoMethod?: 'POST'
  /** The text and status of the page for a wrong client or redirect URI. */
  readonly pages: { readonly client: AuthorizationFlaw; readonly redirectUri: AuthorizationFlaw }
  /** The scopes that are granted if the request names none. */
  readonly defaultScopes: readonly string[]
  /** Whether the authorization request may leave out `redirect_uri` (RFC 6749 §3.1.2.3). */
  readonly redirectUriOptional: boolean
  switches(): Switches
  /** Variables of the service beyond those of every provider. */
  env(origin: string): Readonly<Record<string, string>>
  /** What is wrong with an authorization request, beyond client and redirect URI. */
  flaw(query: URLSearchParams, context: Context<Switches>): AuthorizationFlaw | undefined
  mintCode(): string
  /** The callback parameters after "Allow", in the provider's order. If the request had a `state`, it is added. */
  callback(grant: Grant, context: Context<Switches>): readonly (readonly [string, string])[]
  /** The callback parameters after "Deny" or an invalid request; `state` likewise. */
  errorParameters(error: string, description?: string): readonly (readonly [string, string])[]
  token(request: EndpointRequest, context: Context<Switches>): RawResponse | Promise<RawResponse>
  /** Absent where there is no path for it. */
  readonly userinfo?: (request: EndpointRequest, context: Context<Switches>) => RawResponse
  readonly routes: readonly Route<Switches>[]
}

/** The double's state as a login sees it that has switches of its own. */
export function contextOf<S extends CommonSwitches>(
  context: Context<S>,
  fault: Pick<LoginFault, 'switches'> | undefined,
): Context<S> {
  if (fault?.switches === undefined) return context
  // The origin is known only later than the context, so it is not copied.
  return {
    ...context,
    get origin() {
      return context.origin
    },
    switches: Object.assign({}, context.switches, fault.switches),
  }
}

/** A person's userinfo fields, with `person.raw` on top. */
export function profileFields(
  person: DoublePerson,
  fields: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return { ...fields, ...person.raw }
}

/** The initial values of the switches that all doubles have. */
export const commonSwitches = (): CommonSwitches => ({
  codeLifetime: 600,
  accessTokenLifetime: 3600,
  refuseWith: undefined,
  callback: undefined,
  forgetClient: false,
  tokenFields: {},
  person: {},
})

/** A JSON response; fields that are `undefined` are left out. */
export function json(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): RawResponse {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', ...headers },
    body: toJson(body),
  }
}

/** JSON in which a bigint is a number of any length, as a provider in another language would send it. */
export function toJson(value: unknown): string {
  const marked = JSON.stringify(value, (_key, field: unknown) =>
    typeof field === 'bigint' ? `\u0000${field}\u0000` : field,
  )
  return marked.replaceAll(/"\\u0000(-?\d+)\\u0000"/g, '$1')
}

/** A client's credentials at the token endpoint (RFC 6749 §2.3.1), from header or body. */
export interface Credentials {
  readonly id: string
  readonly secret: string
}

/** `other`: a header with another scheme. `malformed`: Basic that cannot be decoded. */
export type HeaderCredentials = Credentials | 'none' | 'other' | 'malformed'

/** Reads `Authorization: Basic`; id and secret are form-encoded in it (RFC 6749 §2.3.1). */
export function basicCredentials(header: string | undefined): HeaderCredentials {
  if (header === undefined) return 'none'
  const [scheme = '', value = ''] = header.split(' ', 2)
  if (scheme.toLowerCase() !== 'basic') return 'other'
  const pair = /^(?<id>[^:]+):(?<secret>.*)$/s.exec(Buffer.from(value, 'base64').toString())?.groups
  if (pair === undefined || !/^[A-Za-z0-9+/]+={0,2}$/.test(value)) return 'malformed'
  return { id: formDecode(pair['id'] ?? ''), secret: formDecode(pair['secret'] ?? '') }
}

/** `client_id` and `client_secret` in the form. */
export function bodyCredentials(form: URLSearchParams): Credentials | 'none' {
  const id = form.get('client_id')
  return id === null ? 'none' : { id, secret: form.get('client_secret') ?? '' }
}

/** The fields of a form-encoded body; none of any other. */
export function formOf({ headers, body }: EndpointRequest): URLSearchParams {
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  return new URLSearchParams(type === 'application/x-www-form-urlencoded' ? body : '')
}

function formDecode(text: string): string {
  return new URLSearchParams(`v=${text.replaceAll('&', '%26')}`).get('v') ?? ''
}

/** A provider's responses at the token endpoint, by the request's `grant_type`. */
export interface GrantTypeResponses<T> {
  readonly authorizationCode: () => T
  readonly refreshToken: (grant: Grant) => T
  readonly unknownRefreshToken: () => T
  /** null: the request has no `grant_type`. */
  readonly unsupported: (grantType: string | null) => T
}

/** Chooses the response to a token request by its `grant_type`, and looks its refresh token up (RFC 6749 §6). */
export function respondByGrantType<T>(
  form: URLSearchParams,
  grants: Grants,
  responses: GrantTypeResponses<T>,
): T {
  const grantType = form.get('grant_type')
  if (grantType === 'authorization_code') return responses.authorizationCode()
  if (grantType !== 'refresh_token') return responses.unsupported(grantType)
  const grant = grants.byRefreshToken(form.get('refresh_token'))
  return grant === undefined ? responses.unknownRefreshToken() : responses.refreshToken(grant)
}
