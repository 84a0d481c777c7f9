import { randomBytes } from 'node:crypto'
import { google as plugin } from '../../plugins/google.ts'
import type { DoubleOptions, ProviderDouble } from './double.ts'
import { serveDouble } from './double.ts'
import type { RawResponse } from './faults.ts'
import type { Grant } from './grants.ts'
import { checkVerifier, grantState } from './grants.ts'
import type { Claims, IdTokenSpoiling } from './id-token.ts'
import { accessTokenHash, IdTokenKeys } from './id-token.ts'
import type { DoublePerson } from './people.ts'
import type {
  AuthorizationFlaw,
  CommonSwitches,
  Context,
  EndpointRequest,
  ProviderRules,
} from './provider-rules.ts'
import {
  basicCredentials,
  bodyCredentials,
  commonSwitches,
  formOf,
  json,
  profileFields,
  respondByGrantType,
} from './provider-rules.ts'

/** What can be switched at Google: what has changed over time, and ID tokens that no client may accept. */
export interface GoogleSwitches extends CommonSwitches {
  /** RFC 9207: Google sends it since 2026. */
  iss: 'sent' | 'absent' | 'wrong' | 'repeated'
  idToken: IdTokenSpoiling | undefined
  /** Replaces claims of the ID token. */
  idTokenClaims: Readonly<Record<string, unknown>>
  /** What signs; `rotate()` replaces both keys. */
  readonly keys: IdTokenKeys
}

/** The paths of Google's endpoints. Google has them on several hosts, the double on one. */
const paths = {
  authorize: '/o/oauth2/v2/auth',
  token: '/token',
  userinfo: '/v1/userinfo',
  jwks: '/oauth2/v3/certs',
  revoke: '/revoke',
} as const

/** A server that behaves as Google's OpenID Connect does. */
export function startGoogleDouble(options: DoubleOptions): Promise<ProviderDouble<GoogleSwitches>> {
  return serveDouble(google(), options)
}

/** What distinguishes Google (developers.google.com/identity/openid-connect). */
export const google = (): ProviderRules<GoogleSwitches> => ({
  name: 'google',
  title: { ru: 'Google', en: 'Google' },
  mark: plugin.mark,
  vouchesForEmail: true,
  gives: ['name', 'email'],
  client: {
    id: '407408718192-sandbox0a1b2c3d4e5f6g7h8i9j.apps.googleusercontent.com',
    secret: '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D',
  },
  paths,
  pages: {
    client: { page: 'Error 401: invalid_client. The OAuth client was not found.', status: 401 },
    redirectUri: { page: 'Error 400: redirect_uri_mismatch', status: 400 },
  },
  defaultScopes: [],
  redirectUriOptional: false,
  switches: () => ({
    ...commonSwitches(),
    iss: 'sent',
    idToken: undefined,
    idTokenClaims: {},
    keys: new IdTokenKeys(),
  }),
  env: (origin) => ({ GOOGLE_ISSUER: origin, GOOGLE_JWKS_URL: origin + paths.jwks }),
  flaw,
  mintCode: () => `4/0A${randomBytes(48).toString('base64url')}`,
  callback: ({ code, scopes, person }, { origin, switches }) => [
    ...issuers(origin, switches.iss),
    ['code', code],
    ['scope', scopes.join(' ')],
    ['authuser', '0'],
    ...(person.workspace === null ? [] : [['hd', person.workspace] as const]),
    ['prompt', 'consent'],
  ],
  errorParameters: (error) => [['error', error]],
  token,
  userinfo,
  routes: [
    {
      method: 'GET',
      path: '/.well-known/openid-configuration',
      endpoint: 'discovery',
      respond: (_request, { origin }) => discovery(origin),
    },
    {
      method: 'GET',
      path: paths.jwks,
      endpoint: 'jwks',
      respond: async (_request, { switches }) =>
        json(200, await switches.keys.jwks(), { 'cache-control': 'public, max-age=300' }),
    },
    { method: 'POST', path: paths.revoke, respond: revoke },
  ],
})

type GoogleContext = Context<GoogleSwitches>

/** Google shows most errors of an authorization request on a page of its own and does not redirect. */
function flaw(query: URLSearchParams): AuthorizationFlaw | undefined {
  if (!query.has('response_type'))
    return { page: 'Error 400: invalid_request. Required parameter is missing: response_type', status: 400 }
  if (query.get('response_type') !== 'code')
    return { page: 'Error 400: unsupported_response_type', status: 400 }
  if (!query.get('scope'))
    return { page: 'Error 400: invalid_request. Missing required parameter: scope', status: 400 }
  const method = query.get('code_challenge_method') ?? 'plain'
  if (!['plain', 'S256'].includes(method))
    return { page: 'Error 400: invalid_request. Invalid code_challenge_method', status: 400 }
  return query.get('prompt') === 'none' ? { error: 'access_denied' } : undefined
}

function issuers(origin: string, iss: GoogleSwitches['iss']): readonly (readonly [string, string])[] {
  const right = ['iss', origin] as const
  const wrong = ['iss', 'https://accounts.example'] as const
  return { sent: [right], absent: [], wrong: [wrong], repeated: [right, right] }[iss]
}

const errorResponse = (error: string, description: string, status = 400) =>
  json(status, { error, error_description: description })

function token(request: EndpointRequest, context: GoogleContext): RawResponse | Promise<RawResponse> {
  // Google's front end rejects a malformed percent-encoding before the token endpoint sees it.
  if (/%(?![0-9a-f]{2})/i.test(request.body))
    return { status: 400, headers: { 'content-type': 'text/html' }, body: '<h1>400. That’s an error.</h1>' }
  const form = formOf(request)
  const invalidClient = clientError(request, form, context)
  if (invalidClient !== undefined) return invalidClient
  return respondByGrantType<RawResponse | Promise<RawResponse>>(form, context.grants, {
    authorizationCode: () => exchange(form, context),
    refreshToken: (grant) => tokens(grant, context, { refreshed: true }),
    unknownRefreshToken: () => errorResponse('invalid_grant', 'Bad Request'),
    unsupported: (type) =>
      type === null
        ? errorResponse('invalid_request', 'Missing required parameter: grant_type')
        : errorResponse('unsupported_grant_type', `Invalid grant_type: ${type}`),
  })
}

function clientError(
  { headers }: EndpointRequest,
  form: URLSearchParams,
  { client, switches }: GoogleContext,
): RawResponse | undefined {
  const header = basicCredentials(headers.authorization)
  const given = header === 'none' ? bodyCredentials(form) : header
  if (typeof given === 'string')
    return errorResponse('invalid_request', 'Could not determine client ID from request.')
  if (given.id !== client.id) return errorResponse('invalid_client', 'The OAuth client was not found.', 401)
  if (given.secret !== client.secret || switches.forgetClient)
    return errorResponse('invalid_client', 'Unauthorized', 401)
  return undefined
}

function exchange(form: URLSearchParams, context: GoogleContext): RawResponse | Promise<RawResponse> {
  const code = form.get('code')
  if (code === null) return errorResponse('invalid_request', 'Missing required parameter: code')
  const grant = context.grants.byCode(code)
  // A code that a client did not decode after the callback (`4%2F0A…`), or decoded twice, has another shape.
  if (grant === undefined)
    return errorResponse('invalid_grant', /^4\/[\w-]+$/.test(code) ? 'Bad Request' : 'Malformed auth code.')
  if (grantState(grant, context.switches.codeLifetime) !== 'live')
    return errorResponse('invalid_grant', 'Bad Request')
  if (form.get('redirect_uri') !== grant.request.get('redirect_uri'))
    return errorResponse('redirect_uri_mismatch', 'Bad Request')
  const verifier = checkVerifier(grant, form.get('code_verifier'))
  if (verifier !== 'right') return errorResponse('invalid_grant', verifierErrors[verifier])
  grant.used = true
  return tokens(grant, context, { refreshed: false })
}

const verifierErrors = {
  unneeded: 'code_verifier or verifier is not needed.',
  missing: 'Missing code verifier.',
  wrong: 'Invalid code verifier.',
} as const

async function tokens(
  grant: Grant,
  { client, grants, origin, switches }: GoogleContext,
  { refreshed }: { refreshed: boolean },
): Promise<RawResponse> {
  const { access, refresh } = grants.issue(grant, { access: 'ya29.a0A', refresh: '1//0' })
  const now = Math.floor(Date.now() / 1000)
  const claims: Claims = {
    iss: origin,
    azp: client.id,
    aud: client.id,
    ...profile(grant.person, grant.scopes),
    at_hash: accessTokenHash(access, switches.keys.algorithm),
    nonce: grant.request.get('nonce') ?? undefined,
    iat: now,
    exp: now + 3600,
    ...switches.idTokenClaims,
  }
  const openid = grant.scopes.includes('openid')
  return json(200, {
    access_token: access,
    expires_in: 3599,
    refresh_token: !refreshed && grant.request.get('access_type') === 'offline' ? refresh : undefined,
    scope: grant.scopes.join(' '),
    token_type: 'Bearer',
    id_token: openid ? await switches.keys.sign(claims, client.secret, switches.idToken) : undefined,
    ...switches.tokenFields,
  })
}

function userinfo({ headers }: EndpointRequest, { grants, switches }: GoogleContext): RawResponse {
  const bearer = /^bearer +(?<token>\S+)$/i.exec(headers.authorization ?? '')?.groups?.['token']
  const grant = grants.byAccessToken(bearer ?? null, switches.accessTokenLifetime)
  if (grant === undefined) return errorResponse('invalid_request', 'Invalid Credentials', 401)
  return json(200, profileFields(grant.person, profile(grant.person, grant.scopes)))
}

function revoke(request: EndpointRequest, { grants }: GoogleContext): RawResponse {
  const token = formOf(request).get('token')
  if (token === null || !grants.revoke(token))
    return errorResponse('invalid_token', 'Token expired or revoked')
  return json(200, {})
}

/** The response at `/.well-known/openid-configuration` (OpenID Connect Discovery §3). */
function discovery(issuer: string): RawResponse {
  return json(200, {
    issuer,
    authorization_endpoint: issuer + paths.authorize,
    token_endpoint: issuer + paths.token,
    userinfo_endpoint: issuer + paths.userinfo,
    revocation_endpoint: issuer + paths.revoke,
    jwks_uri: issuer + paths.jwks,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    scopes_supported: ['openid', 'email', 'profile'],
    token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
    claims_supported: [
      'aud',
      'email',
      'email_verified',
      'exp',
      'family_name',
      'given_name',
      'iat',
      'iss',
      'name',
      'sub',
    ],
    code_challenge_methods_supported: ['plain', 'S256'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    authorization_response_iss_parameter_supported: true,
  })
}

/** The claims about a person that the scopes allow. A name of one word has no family name. */
function profile(person: DoublePerson, scopes: readonly string[]): Record<string, unknown> {
  const [givenName = '', ...rest] = person.name.split(' ')
  return {
    sub: person.id,
    ...(scopes.includes('profile') && {
      name: person.name,
      given_name: givenName,
      family_name: rest.length === 0 ? undefined : rest.join(' '),
      picture: 'https://lh3.googleusercontent.example/a/picture=s96-c',
    }),
    ...(scopes.includes('email') &&
      person.email !== null && { email: person.email, email_verified: person.emailVerified }),
    hd: person.workspace ?? undefined,
  }
}
