import { createHash, randomBytes } from 'node:crypto'
import { telegram as plugin } from '../../plugins/telegram.ts'
import type { RawResponse } from './faults.ts'
import type { Grant } from './grants.ts'
import { checkVerifier, grantState } from './grants.ts'
import type { Claims, IdTokenSpoiling } from './id-token.ts'
import { IdTokenKeys } from './id-token.ts'
import type {
  AuthorizationFlaw,
  CommonSwitches,
  Context,
  EndpointRequest,
  ProviderRules,
} from './provider-rules.ts'
import {
  basicCredentials,
  commonSwitches,
  formOf,
  json,
  profileFields,
  respondByGrantType,
} from './provider-rules.ts'

/** What can be switched at Telegram, where observers contradict each other. */
export interface TelegramSwitches extends CommonSwitches {
  /** Whether the ID token repeats the nonce; when it was measured, it did not. */
  nonce: 'absent' | 'echoed'
  /** The type of the `id` claim. */
  id: 'number' | 'string'
  /** The type of the `aud` claim. */
  audience: 'string' | 'number' | 'list'
  /** Whether the token response has an access token beside the ID token. */
  accessToken: 'sent' | 'absent'
  /** Whether a redirect URI without TLS gets an error page, as at the real one. */
  plainHttp: 'accepted' | 'refused'
  idToken: IdTokenSpoiling | undefined
  /** Replaces claims of the ID token. */
  idTokenClaims: Claims
  /** What signs; `rotate('ES256')` replaces both keys. */
  readonly keys: IdTokenKeys
}

const paths = { authorize: '/auth', token: '/token', jwks: '/.well-known/jwks.json' } as const

/** The bot's own token, which people mistake for the client secret. */
export const botToken = '7654321098:AAF_sandbox-bot-token-0123456789abcdef'

/** What distinguishes Telegram (core.telegram.org/bots/telegram-login). */
export const telegram = (): ProviderRules<TelegramSwitches> => ({
  name: 'telegram',
  title: { ru: 'Telegram', en: 'Telegram' },
  mark: plugin.mark,
  vouchesForEmail: false,
  gives: ['name', 'login'],
  client: { id: '7654321098', secret: 'sandbox-web-login-secret-0a1b2c3d4e5f' },
  paths,
  pages: {
    client: { page: 'Bot not found', status: 404 },
    redirectUri: { page: 'Redirect URI is not allowed', status: 400 },
  },
  defaultScopes: ['openid'],
  redirectUriOptional: false,
  switches: () => ({
    ...commonSwitches(),
    nonce: 'absent',
    id: 'number',
    audience: 'string',
    accessToken: 'sent',
    plainHttp: 'accepted',
    idToken: undefined,
    idTokenClaims: {},
    keys: new IdTokenKeys(),
  }),
  env: (origin) => ({ TELEGRAM_ISSUER: origin, TELEGRAM_JWKS_URL: origin + paths.jwks }),
  flaw,
  mintCode: () => randomBytes(32).toString('base64url'),
  callback: ({ code }) => [['code', code]],
  errorParameters: (error) => [['error', error]],
  token,
  routes: [
    {
      method: 'GET',
      path: paths.jwks,
      endpoint: 'jwks',
      respond: async (_request, { switches }) => json(200, await switches.keys.jwks()),
    },
    {
      method: 'GET',
      path: '/.well-known/openid-configuration',
      endpoint: 'discovery',
      respond: (_request, { origin }) => discovery(origin),
    },
  ],
})

type TelegramContext = Context<TelegramSwitches>

function flaw(query: URLSearchParams, { switches }: TelegramContext): AuthorizationFlaw | undefined {
  // With these it would fall back to the old widget, which sends no code.
  if (query.has('bot_id') || query.has('origin')) return { page: '#tgAuthResult', status: 400 }
  if (query.get('response_type') !== 'code') return { page: 'response_type invalid', status: 400 }
  if (switches.plainHttp === 'refused' && !query.get('redirect_uri')?.startsWith('https:'))
    return { page: 'Redirect URI must be https', status: 400 }
  return query.get('scope')?.split(' ').includes('openid')
    ? undefined
    : { page: 'scope invalid', status: 400 }
}

const errorResponse = (status: number, error: string) => json(status, { error })

function token(request: EndpointRequest, context: TelegramContext): RawResponse | Promise<RawResponse> {
  const { client, switches } = context
  const given = basicCredentials(request.headers.authorization)
  if (
    typeof given === 'string' ||
    given.id !== client.id ||
    given.secret !== client.secret ||
    switches.forgetClient
  )
    return errorResponse(401, 'invalid_client')
  const form = formOf(request)
  if (form.get('client_id') !== client.id) return errorResponse(400, 'invalid_request')
  return respondByGrantType<RawResponse | Promise<RawResponse>>(form, context.grants, {
    authorizationCode: () => exchange(form, context),
    refreshToken: (grant) => tokens(grant, context),
    unknownRefreshToken: () => errorResponse(400, 'invalid_grant'),
    unsupported: () => errorResponse(400, 'unsupported_grant_type'),
  })
}

function exchange(form: URLSearchParams, context: TelegramContext): RawResponse | Promise<RawResponse> {
  const grant = context.grants.byCode(form.get('code') ?? '')
  if (grant === undefined || grantState(grant, context.switches.codeLifetime) !== 'live')
    return errorResponse(400, 'invalid_grant')
  if (form.get('redirect_uri') !== grant.request.get('redirect_uri'))
    return errorResponse(400, 'invalid_grant')
  if (checkVerifier(grant, form.get('code_verifier')) !== 'right') return errorResponse(400, 'invalid_grant')
  grant.used = true
  return tokens(grant, context)
}

async function tokens(grant: Grant, context: TelegramContext): Promise<RawResponse> {
  const { client, grants, switches } = context
  const { access, refresh } = grants.issue(grant, { access: 'tg.', refresh: 'tgr.' })
  return json(200, {
    access_token: switches.accessToken === 'sent' ? access : undefined,
    refresh_token: refresh,
    token_type: 'Bearer',
    expires_in: 3600,
    id_token: await switches.keys.sign(claimsOf(grant, context), client.secret, switches.idToken),
    ...switches.tokenFields,
  })
}

function claimsOf({ person, scopes, request }: Grant, { client, origin, switches }: TelegramContext): Claims {
  const now = Math.floor(Date.now() / 1000)
  const audiences = { string: client.id, number: Number(client.id), list: [client.id] }
  const [givenName = '', ...rest] = person.name.split(' ')
  const id = switches.id === 'number' && /^\d+$/.test(person.id) ? BigInt(person.id) : person.id
  return {
    iss: origin,
    aud: audiences[switches.audience],
    // Opaque, and another one for another bot.
    sub: createHash('sha256').update(`${client.id}:${person.id}`).digest('base64url'),
    iat: now,
    exp: now + 600,
    nonce: switches.nonce === 'echoed' ? (request.get('nonce') ?? undefined) : undefined,
    ...profileFields(person, {
      ...(scopes.includes('profile') && {
        id,
        name: person.name || undefined,
        given_name: givenName || undefined,
        family_name: rest.join(' ') || undefined,
        // Absent for people without an @name.
        preferred_username: person.login || undefined,
        picture: 'https://cdn4.telegram.example/file/photo.jpg',
      }),
      ...(scopes.includes('phone') && { phone_number: '79991234567' }),
    }),
    ...switches.idTokenClaims,
  }
}

function discovery(issuer: string): RawResponse {
  return json(200, {
    issuer,
    authorization_endpoint: issuer + paths.authorize,
    token_endpoint: issuer + paths.token,
    jwks_uri: issuer + paths.jwks,
    response_types_supported: ['code'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256', 'ES256', 'EdDSA', 'ES256K'],
    scopes_supported: ['openid', 'profile', 'phone', 'telegram:bot_access'],
    token_endpoint_auth_methods_supported: ['client_secret_basic'],
    claims_supported: [
      'aud',
      'preferred_username',
      'phone_number',
      'exp',
      'iat',
      'iss',
      'name',
      'picture',
      'sub',
    ],
    code_challenge_methods_supported: ['S256'],
  })
}
