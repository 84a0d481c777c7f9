import { createHash, randomBytes } from 'node:crypto'
import { yandex as plugin } from '../../plugins/yandex.ts'
import type { DoubleOptions, ProviderDouble } from './double.ts'
import { serveDouble } from './double.ts'
import type { RawResponse } from './faults.ts'
import type { Grant } from './grants.ts'
import { checkVerifier, grantState } from './grants.ts'
import type {
  CommonSwitches,
  Context,
  EndpointRequest,
  HeaderCredentials,
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

/** What can be switched at Yandex ID, where its documents leave a doubt or accounts differ. */
export interface YandexSwitches extends CommonSwitches {
  /** The callback's `cid`. */
  cid: boolean
  /** The token endpoint's error for a code that it has never seen. */
  unknownCode: 'bad_verification_code' | 'invalid_grant'
  invalidClientStatus: 400 | 401
  /** The body of userinfo's response to an unknown token; the status is 401. */
  badTokenBody: string
}

/** A server that behaves as oauth.yandex.ru and login.yandex.ru do. */
export function startYandexDouble(options: DoubleOptions): Promise<ProviderDouble<YandexSwitches>> {
  return serveDouble(yandex(), options)
}

const registeredScopes = ['login:email', 'login:info', 'login:avatar']
const year = 31_536_000

/** What distinguishes Yandex ID (yandex.ru/dev/id/doc). */
export const yandex = (): ProviderRules<YandexSwitches> => ({
  name: 'yandex',
  title: { ru: 'Яндекс', en: 'Yandex' },
  mark: plugin.mark,
  vouchesForEmail: false,
  gives: ['name', 'login', 'email'],
  client: { id: '7c5e1d8e2b9d4f0c8a6b3f5e9d1c2a4b', secret: 'f0e1d2c3b4a5968778695a4b3c2d1e0f' },
  paths: { authorize: '/authorize', token: '/token', userinfo: '/info' },
  pages: {
    client: { page: 'Unknown client with such client_id', status: 400 },
    redirectUri: { page: 'redirect_uri does not match the Callback URL of the application', status: 400 },
  },
  defaultScopes: registeredScopes,
  redirectUriOptional: true,
  switches: () => ({
    ...commonSwitches(),
    cid: true,
    unknownCode: 'bad_verification_code',
    invalidClientStatus: 400,
    badTokenBody: '',
  }),
  env: () => ({}),
  flaw: (query) => {
    if (query.get('response_type') !== 'code') return { error: 'unsupported_response_type' }
    const unregistered = query
      .get('scope')
      ?.split(' ')
      .some((scope) => scope !== '' && !registeredScopes.includes(scope))
    if (unregistered === true) return { error: 'invalid_scope' }
    const device = query.get('device_id')
    if (device !== null && !/^[ -~]{6,50}$/.test(device))
      return { error: 'invalid_request', description: 'device_id must be 6 to 50 characters' }
    return undefined
  },
  mintCode: () => randomBytes(8).toString('hex'),
  callback: ({ code }, { switches }) => [
    ['code', code],
    ...(switches.cid ? [['cid', randomBytes(8).toString('hex')] as const] : []),
  ],
  errorParameters: (error, description = 'User denied access to the application') => [
    ['error', error],
    ['error_description', description],
  ],
  token,
  userinfo,
  routes: [{ method: 'POST', path: '/revoke_token', respond: revoke }],
})

const errorResponse = (error: string, description?: string, status = 400) =>
  json(status, { error, error_description: description })

function token(request: EndpointRequest, context: Context<YandexSwitches>): RawResponse {
  const form = formOf(request)
  if (!form.has('grant_type')) return errorResponse('invalid_request', 'grant_type not in POST')
  const invalidClient = clientError(basicCredentials(request.headers.authorization), form, context)
  if (invalidClient !== undefined) return invalidClient
  return respondByGrantType(form, context.grants, {
    authorizationCode: () => exchange(form, context),
    refreshToken: (grant) => tokens(grant, context),
    unknownRefreshToken: () => errorResponse('invalid_grant', 'expired_token'),
    unsupported: () => errorResponse('unsupported_grant_type'),
  })
}

/** The error response for wrong client credentials. If there is an Authorization header, those in the body are ignored. */
function clientError(
  header: HeaderCredentials,
  form: URLSearchParams,
  { client, switches }: Context<YandexSwitches>,
): RawResponse | undefined {
  if (header === 'other') return errorResponse('Basic auth required', undefined, 401)
  if (header === 'malformed') return errorResponse('Malformed Authorization header', undefined, 401)
  const given = header === 'none' ? bodyCredentials(form) : header
  if (given === 'none') return errorResponse('invalid_request', 'client_id not in POST')
  if (given.id !== client.id)
    return errorResponse('invalid_client', 'Client not found', switches.invalidClientStatus)
  if (given.secret !== client.secret || switches.forgetClient)
    return errorResponse('invalid_client', 'Wrong client secret', switches.invalidClientStatus)
  return undefined
}

function exchange(form: URLSearchParams, context: Context<YandexSwitches>): RawResponse {
  const code = form.get('code')
  if (code === null) return errorResponse('invalid_request', 'code not in POST')
  const grant = context.grants.byCode(code)
  const state = grantState(grant, context.switches.codeLifetime)
  if (grant === undefined && context.switches.unknownCode === 'bad_verification_code')
    return errorResponse('bad_verification_code', 'Invalid code')
  if (grant === undefined || state !== 'live') return errorResponse('invalid_grant', 'Code has expired')
  const verifier = checkVerifier(grant, form.get('code_verifier'))
  if (verifier === 'wrong' || verifier === 'missing')
    return errorResponse('invalid_grant', 'code_verifier not matched')
  grant.used = true
  return tokens(grant, context)
}

function tokens(grant: Grant, { grants, switches }: Context<YandexSwitches>): RawResponse {
  const { access, refresh } = grants.issue(grant, { access: 'y0_', refresh: '1:' })
  return json(200, {
    access_token: access,
    expires_in: year,
    refresh_token: refresh,
    token_type: 'bearer',
    ...switches.tokenFields,
  })
}

function userinfo({ headers, query }: EndpointRequest, context: Context<YandexSwitches>): RawResponse {
  if ((query.get('format') ?? 'json') !== 'json') return { status: 400, body: 'unsupported format' }
  const header = /^(?:oauth|bearer) +(?<token>\S+)$/i.exec(headers.authorization ?? '')?.groups?.['token']
  const grant = context.grants.byAccessToken(
    header ?? query.get('oauth_token'),
    context.switches.accessTokenLifetime,
  )
  if (grant === undefined) return { status: 401, body: context.switches.badTokenBody }
  return json(200, profile(grant, context.client.id))
}

function profile({ person, scopes }: Grant, clientId: string): Record<string, unknown> {
  const { id, login, name, email, sex, birthday } = person
  const [firstName = '', ...rest] = name.split(' ')
  const psuid = createHash('sha256').update(`${clientId}.${id}`).digest('base64url')
  return profileFields(person, {
    id,
    login,
    client_id: clientId,
    psuid: `1.AA${psuid.slice(0, 40)}`,
    ...(scopes.includes('login:email') && {
      default_email: email ?? '',
      emails: email === null ? [] : [email],
    }),
    ...(scopes.includes('login:info') && {
      first_name: firstName,
      last_name: rest.join(' '),
      display_name: name,
      real_name: name,
      sex,
    }),
    ...(scopes.includes('login:birthday') && { birthday }),
    ...(scopes.includes('login:avatar') && { default_avatar_id: '0/0-0', is_avatar_empty: true }),
  })
}

/** Only a token that was issued for a device can be revoked. */
function revoke(request: EndpointRequest, context: Context<YandexSwitches>): RawResponse {
  const form = formOf(request)
  const invalidClient = clientError(basicCredentials(request.headers.authorization), form, context)
  if (invalidClient !== undefined) return invalidClient
  const grant = context.grants.byAccessToken(form.get('access_token'), context.switches.accessTokenLifetime)
  if (grant === undefined) return errorResponse('invalid_grant', 'expired_token')
  if (!grant.request.has('device_id')) return errorResponse('unsupported_token_type')
  context.grants.revoke(form.get('access_token') ?? '')
  return json(200, { status: 'ok' })
}
