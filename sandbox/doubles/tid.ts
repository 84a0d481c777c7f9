import { createHash, randomBytes } from 'node:crypto'
import { tid as plugin } from '../../plugins/tid.ts'
import type { RawResponse } from './faults.ts'
import type { Grant } from './grants.ts'
import { checkVerifier, grantState } from './grants.ts'
import type { CommonSwitches, Context, EndpointRequest, ProviderRules } from './provider-rules.ts'
import {
  basicCredentials,
  commonSwitches,
  formOf,
  json,
  profileFields,
  respondByGrantType,
} from './provider-rules.ts'

/** What can be switched at T-ID, where its documents say nothing. */
export interface TidSwitches extends CommonSwitches {
  /** Whether the person left the box of the phone number ticked. */
  phone: 'given' | 'unticked'
  /** Whether userinfo reads the credentials in its form. */
  userinfoForm: 'checked' | 'ignored'
}

const paths = {
  authorize: '/auth/authorize',
  token: '/auth/token',
  userinfo: '/userinfo/userinfo',
} as const

/** What distinguishes T-ID (developer.tbank.ru). */
export const tid = (): ProviderRules<TidSwitches> => ({
  name: 'tid',
  title: { ru: 'T-ID', en: 'T-ID' },
  mark: plugin.mark,
  vouchesForEmail: false,
  gives: ['name'],
  client: { id: 'tid_auth-movies-sandbox', secret: 'T9f2Q-sandbox-7b1c4d5e6f708192a3b4' },
  paths,
  pages: {
    client: { page: 'Неизвестное приложение', status: 400 },
    redirectUri: { page: 'redirect_uri не зарегистрирован', status: 400 },
  },
  // The contract sets them.
  defaultScopes: ['profile', 'phone'],
  redirectUriOptional: false,
  userinfoMethod: 'POST',
  switches: () => ({ ...commonSwitches(), phone: 'given', userinfoForm: 'checked' }),
  env: () => ({}),
  flaw: (query) =>
    query.get('response_type') === 'code' ? undefined : { page: 'response_type must be code', status: 400 },
  mintCode: () => `c.${randomBytes(48).toString('base64url')}`,
  callback: ({ code }) => [
    ['code', code],
    ['session_state', randomBytes(24).toString('base64url')],
  ],
  errorParameters: (error, description = 'The user refused') => [
    ['error', error],
    ['error_description', description],
  ],
  token,
  userinfo,
  routes: [
    { method: 'GET', path: paths.userinfo, respond: () => json(405, { error: 'method_not_allowed' }) },
    { method: 'POST', path: '/auth/introspect', respond: introspect },
    { method: 'POST', path: '/auth/revoke', respond: revoke },
  ],
})

type TidContext = Context<TidSwitches>

const errorResponse = (status: number, error: string, description: string) =>
  json(status, { error, error_description: description })

/** Only HTTP Basic counts, at the token endpoint and at those beside it. */
function clientError(
  { headers }: EndpointRequest,
  { client, switches }: TidContext,
): RawResponse | undefined {
  const given = basicCredentials(headers.authorization)
  if (typeof given === 'string') return errorResponse(401, 'invalid_client', 'Basic credentials are missing')
  if (given.id !== client.id || given.secret !== client.secret || switches.forgetClient)
    return errorResponse(401, 'invalid_client', 'Wrong client credentials')
  return undefined
}

function token(request: EndpointRequest, context: TidContext): RawResponse {
  const refused = clientError(request, context)
  if (refused !== undefined) return refused
  const form = formOf(request)
  return respondByGrantType(form, context.grants, {
    authorizationCode: () => exchange(form, context),
    refreshToken: (grant) => tokens(grant, context),
    unknownRefreshToken: () => errorResponse(400, 'invalid_grant', 'The refresh token is stale'),
    unsupported: () => errorResponse(400, 'unsupported_grant_type', 'grant_type is unsupported'),
  })
}

function exchange(form: URLSearchParams, context: TidContext): RawResponse {
  const grant = context.grants.byCode(form.get('code') ?? '')
  if (grant === undefined || grantState(grant, context.switches.codeLifetime) !== 'live')
    return errorResponse(400, 'invalid_grant', 'The code is not valid')
  if (form.get('redirect_uri') !== grant.request.get('redirect_uri'))
    return errorResponse(400, 'invalid_grant', 'redirect_uri differs')
  if (checkVerifier(grant, form.get('code_verifier')) !== 'right')
    return errorResponse(400, 'invalid_grant', 'The code_verifier is not valid')
  grant.used = true
  return tokens(grant, context)
}

function tokens(grant: Grant, { grants, switches }: TidContext): RawResponse {
  const { access, refresh } = grants.issue(grant, { access: 't.', refresh: 'r.' })
  return json(200, {
    access_token: access,
    token_type: 'Bearer',
    expires_in: 1800,
    refresh_token: refresh,
    // A "technical parameter".
    id_token: 'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkLnRiYW5rLnJ1LyJ9.c2lnbmF0dXJl',
    ...switches.tokenFields,
  })
}

function bearerGrant({ headers }: EndpointRequest, { grants, switches }: TidContext): Grant | undefined {
  const bearer = /^bearer +(?<token>\S+)$/i.exec(headers.authorization ?? '')?.groups?.['token']
  return grants.byAccessToken(bearer ?? null, switches.accessTokenLifetime)
}

function userinfo(request: EndpointRequest, context: TidContext): RawResponse {
  const { client, switches } = context
  const grant = bearerGrant(request, context)
  if (grant === undefined) return errorResponse(401, 'invalid_token', 'The access token is not valid')
  const form = formOf(request)
  const named = form.get('client_id') === client.id && form.get('client_secret') === client.secret
  if (switches.userinfoForm === 'checked' && !named)
    return errorResponse(401, 'invalid_client', 'client_id or client_secret is wrong')
  const { id, name, sex, birthday } = grant.person
  const [givenName = '', ...rest] = name.split(' ')
  const familyName = rest.join(' ')
  return json(
    200,
    profileFields(grant.person, {
      sub: subjectOf(id),
      // The family name first.
      name: [familyName, givenName].filter((part) => part !== '').join(' '),
      given_name: givenName || undefined,
      family_name: familyName || undefined,
      gender: sex ?? undefined,
      birthdate: birthday ?? undefined,
      phone_number: switches.phone === 'given' ? '+79991234567' : undefined,
    }),
  )
}

/** A subject of T-ID is a UUID: this one belongs to the person's number. */
export function subjectOf(id: string): string {
  const hex = createHash('sha256').update(id).digest('hex')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `a${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-')
}

function introspect(request: EndpointRequest, context: TidContext): RawResponse {
  const refused = clientError(request, context)
  if (refused !== undefined) return refused
  const { grants, switches, client } = context
  const grant = grants.byAccessToken(formOf(request).get('token'), switches.accessTokenLifetime)
  if (grant === undefined) return json(200, { active: false })
  const scopes = grant.scopes.filter((scope) => scope !== 'phone' || switches.phone === 'given')
  return json(200, { active: true, scope: scopes, client_id: client.id, iss: 'https://id.tbank.ru/' })
}

function revoke(request: EndpointRequest, context: TidContext): RawResponse {
  const refused = clientError(request, context)
  if (refused !== undefined) return refused
  context.grants.revoke(formOf(request).get('token') ?? '')
  return json(200, {})
}
