import { randomBytes } from 'node:crypto'
import type { JWTPayload } from 'jose'
import { serveDouble } from '../serve.ts'
import { json } from './answers.ts'
import { basicCredentials, bodyCredentials, formOf } from './client-auth.ts'
import type { Answer, CommonSwitches, DoubleOptions, ProviderDouble } from './double.ts'
import { discovery, googlePaths as paths } from './google-discovery.ts'
import type { IdTokenSpoiling } from './google-id-token.ts'
import { accessTokenHash, GoogleKeys } from './google-id-token.ts'
import { profile } from './google-profile.ts'
import type { Grant } from './grants.ts'
import { checkVerifier, grantState } from './grants.ts'
import type { AuthorizationFlaw, Context, EndpointRequest, Rules } from './rules.ts'
import { commonSwitches, profileFields } from './rules.ts'

/** Google where it changes over time, and ID tokens that nobody may accept. */
export interface GoogleSwitches extends CommonSwitches {
  /** RFC 9207: Google sends it since 2026. */
  iss: 'sent' | 'absent' | 'wrong' | 'repeated'
  idToken: IdTokenSpoiling | undefined
  /** Replaces claims of the ID token. */
  idTokenClaims: Readonly<Record<string, unknown>>
  /** What signs; `rotate()` replaces both keys. */
  readonly keys: GoogleKeys
}

/** A server that behaves as Google's OpenID Connect does. */
export function startGoogleDouble(options: DoubleOptions): Promise<ProviderDouble<GoogleSwitches>> {
  return serveDouble(google(), options)
}

/** What distinguishes Google (developers.google.com/identity/openid-connect). */
export const google = (): Rules<GoogleSwitches> => ({
  name: 'google',
  title: { ru: 'Google', en: 'Google' },
  vouchesForEmail: true,
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
    keys: new GoogleKeys(),
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
  refusal: (error) => [['error', error]],
  token,
  userinfo,
  routes: [
    {
      method: 'GET',
      path: '/.well-known/openid-configuration',
      answer: (_request, { origin }) => discovery(origin),
    },
    {
      method: 'GET',
      path: paths.jwks,
      endpoint: 'jwks',
      answer: async (_request, { switches }) =>
        json(200, await switches.keys.jwks(), { 'cache-control': 'public, max-age=300' }),
    },
    { method: 'POST', path: paths.revoke, answer: revoke },
  ],
})

type GoogleContext = Context<GoogleSwitches>

/** Google keeps its own flaws to itself: a page, no redirect. */
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

const refuse = (error: string, description: string, status = 400) =>
  json(status, { error, error_description: description })

function token(request: EndpointRequest, context: GoogleContext): Answer | Promise<Answer> {
  // The front end in front of the real one does not let a broken escape through.
  if (/%(?![0-9a-f]{2})/i.test(request.body))
    return { status: 400, headers: { 'content-type': 'text/html' }, body: '<h1>400. That’s an error.</h1>' }
  const form = formOf(request)
  const unknownClient = refuseClient(request, form, context)
  if (unknownClient !== undefined) return unknownClient
  switch (form.get('grant_type')) {
    case 'authorization_code':
      return exchange(form, context)
    case 'refresh_token': {
      const grant = context.grants.byRefreshToken(form.get('refresh_token'))
      return grant === undefined
        ? refuse('invalid_grant', 'Bad Request')
        : tokens(grant, context, { refreshed: true })
    }
    case null:
      return refuse('invalid_request', 'Missing required parameter: grant_type')
    default:
      return refuse('unsupported_grant_type', `Invalid grant_type: ${form.get('grant_type')}`)
  }
}

function refuseClient(
  { headers }: EndpointRequest,
  form: URLSearchParams,
  { client, switches }: GoogleContext,
): Answer | undefined {
  const header = basicCredentials(headers.authorization)
  const given = header === 'none' ? bodyCredentials(form) : header
  if (typeof given === 'string')
    return refuse('invalid_request', 'Could not determine client ID from request.')
  if (given.id !== client.id) return refuse('invalid_client', 'The OAuth client was not found.', 401)
  if (given.secret !== client.secret || switches.forgetClient)
    return refuse('invalid_client', 'Unauthorized', 401)
  return undefined
}

function exchange(form: URLSearchParams, context: GoogleContext): Answer | Promise<Answer> {
  const code = form.get('code')
  if (code === null) return refuse('invalid_request', 'Missing required parameter: code')
  const grant = context.grants.byCode(code)
  // A code that was not decoded after the callback (`4%2F0A…`), or was decoded twice, has another shape.
  if (grant === undefined)
    return refuse('invalid_grant', /^4\/[\w-]+$/.test(code) ? 'Bad Request' : 'Malformed auth code.')
  if (grantState(grant, context.switches.codeLifetime) !== 'live')
    return refuse('invalid_grant', 'Bad Request')
  if (form.get('redirect_uri') !== grant.request.get('redirect_uri'))
    return refuse('redirect_uri_mismatch', 'Bad Request')
  const verifier = checkVerifier(grant, form.get('code_verifier'))
  if (verifier !== 'right') return refuse('invalid_grant', verifierRefusals[verifier])
  grant.used = true
  return tokens(grant, context, { refreshed: false })
}

const verifierRefusals = {
  unneeded: 'code_verifier or verifier is not needed.',
  missing: 'Missing code verifier.',
  wrong: 'Invalid code verifier.',
} as const

async function tokens(
  grant: Grant,
  { client, grants, origin, switches }: GoogleContext,
  { refreshed }: { refreshed: boolean },
): Promise<Answer> {
  const { access, refresh } = grants.issue(grant, { access: 'ya29.a0A', refresh: '1//0' })
  const now = Math.floor(Date.now() / 1000)
  const claims: JWTPayload = {
    iss: origin,
    azp: client.id,
    aud: client.id,
    ...profile(grant.person, grant.scopes),
    at_hash: accessTokenHash(access),
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

function userinfo({ headers }: EndpointRequest, { grants, switches }: GoogleContext): Answer {
  const bearer = /^bearer +(?<token>\S+)$/i.exec(headers.authorization ?? '')?.groups?.['token']
  const grant = grants.byAccessToken(bearer ?? null, switches.accessTokenLifetime)
  if (grant === undefined) return refuse('invalid_request', 'Invalid Credentials', 401)
  return json(200, profileFields(grant.person, profile(grant.person, grant.scopes)))
}

function revoke(request: EndpointRequest, { grants }: GoogleContext): Answer {
  const token = formOf(request).get('token')
  if (token === null || !grants.revoke(token)) return refuse('invalid_token', 'Token expired or revoked')
  return json(200, {})
}
