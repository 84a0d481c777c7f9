import { randomBytes } from 'node:crypto'
import { vkid as plugin } from '../../plugins/vkid.ts'
import type { RawResponse } from './faults.ts'
import type { Grant } from './grants.ts'
import { checkVerifier, grantState } from './grants.ts'
import type {
  AuthorizationFlaw,
  CommonSwitches,
  Context,
  EndpointRequest,
  ProviderRules,
} from './provider-rules.ts'
import { commonSwitches, formOf, json, profileFields, respondByGrantType } from './provider-rules.ts'

/** What can be switched at VK ID, where its documents and its own code say nothing or contradict each other. */
export interface VkidSwitches extends CommonSwitches {
  /** Whether a state of less than 32 characters, or of others than letters, digits, `_` and `-`, gets an error page. */
  stateRule: 'enforced' | 'ignored'
  /** Whether a client secret in the token request is an unexpected field, which gets a 404 in HTML. */
  clientSecret: 'refused' | 'accepted'
  /** What the token response repeats as `state`. */
  tokenState: 'echoed' | 'other' | 'empty' | 'absent'
  /** The type of `user_id` in userinfo; in the token response it is a number. */
  userId: 'string' | 'number'
  /** The form of a refusal because of too many requests. */
  tooMany: 'slow_down' | undefined
}

const paths = { authorize: '/authorize', token: '/oauth2/auth', userinfo: '/oauth2/user_info' } as const

/** What distinguishes VK ID (OAuth 2.1; the vendor's own client is VKCOM/vkid-web-sdk). */
export const vkid = (): ProviderRules<VkidSwitches> => ({
  name: 'vkid',
  title: { ru: 'VK ID', en: 'VK ID' },
  mark: plugin.mark,
  vouchesForEmail: false,
  gives: ['name', 'email'],
  client: { id: '52100042', secret: '' },
  paths,
  pages: {
    client: { page: 'Ошибка загрузки', status: 400 },
    redirectUri: { page: 'Ошибка загрузки', status: 400 },
  },
  defaultScopes: ['vkid.personal_info'],
  redirectUriOptional: false,
  userinfoMethod: 'POST',
  switches: () => ({
    ...commonSwitches(),
    stateRule: 'ignored',
    clientSecret: 'refused',
    tokenState: 'echoed',
    userId: 'string',
    tooMany: undefined,
  }),
  env: () => ({}),
  flaw,
  mintCode: () => `vk2.a.${randomBytes(160).toString('base64url')}`,
  callback: (grant, { switches }) => [
    ['code', grant.code],
    ['type', 'code_v2'],
    ['expires_in', String(switches.codeLifetime)],
    ['device_id', deviceOf(grant)],
    ['ext_id', randomBytes(16).toString('base64url')],
  ],
  errorParameters: (error, description = 'User denied access') => [
    ['error', error],
    ['error_description', description],
  ],
  token,
  userinfo,
  routes: [
    { method: 'POST', path: '/oauth2/logout', respond: end },
    { method: 'POST', path: '/oauth2/revoke', respond: end },
  ],
})

type VkidContext = Context<VkidSwitches>

/** The `device_id` of each code: the exchange must bring the one that the callback brought. */
const devices = new WeakMap<Grant, string>()

function deviceOf(grant: Grant): string {
  const device = devices.get(grant) ?? randomBytes(64).toString('base64url')
  devices.set(grant, device)
  return device
}

function flaw(query: URLSearchParams, { switches }: VkidContext): AuthorizationFlaw | undefined {
  const page = (text: string) => ({ page: text, status: 400 })
  if (query.get('response_type') !== 'code') return page('response_type must be code')
  if (!query.get('code_challenge')) return page('code_challenge is missing')
  if (query.get('code_challenge_method')?.toUpperCase() !== 'S256')
    return page('Code challenge method is unsupported')
  const state = query.get('state') ?? ''
  if (switches.stateRule === 'enforced' && !/^[\w-]{32,}$/.test(state)) return page('state is invalid')
  const provider = query.get('provider')
  if (provider !== null && !['vkid', 'ok_ru', 'mail_ru'].includes(provider))
    return page('provider is unknown')
  return undefined
}

/** Error responses have status 200, as the vendor's own client expects them. */
const errorResponse = (error: string, description: string) =>
  json(200, { error, error_description: description })

function token(request: EndpointRequest, context: VkidContext): RawResponse {
  const { switches, client } = context
  const form = formOf(request)
  const secret = request.headers.authorization !== undefined || form.has('client_secret')
  if (secret && switches.clientSecret === 'refused')
    return { status: 404, headers: { 'content-type': 'text/html' }, body: '<h1>404 Not Found</h1>' }
  if (switches.tooMany !== undefined) return errorResponse(switches.tooMany, 'too many requests')
  if (form.get('client_id') !== client.id || switches.forgetClient)
    return errorResponse('invalid_client', 'client_id is incorrect')
  return respondByGrantType(form, context.grants, {
    authorizationCode: () => exchange(form, context),
    refreshToken: (grant) => tokens(form, grant, context),
    unknownRefreshToken: () => errorResponse('invalid_grant', 'refresh_token is invalid'),
    unsupported: () => errorResponse('unsupported_grant_type', 'grant_type is unsupported'),
  })
}

function exchange(form: URLSearchParams, context: VkidContext): RawResponse {
  const grant = context.grants.byCode(form.get('code') ?? '')
  if (!form.get('device_id')) return errorResponse('invalid_request', 'device_id is missing or invalid')
  if (grant === undefined || grantState(grant, context.switches.codeLifetime) !== 'live')
    return errorResponse('invalid_grant', 'Code is invalid or expired.')
  if (form.get('device_id') !== deviceOf(grant))
    return errorResponse('invalid_request', 'device_id is missing or invalid')
  if (checkVerifier(grant, form.get('code_verifier')) !== 'right')
    return errorResponse('invalid_request', 'verifier is missing or invalid')
  if (form.get('redirect_uri') !== grant.request.get('redirect_uri'))
    return errorResponse('invalid_grant', 'redirect_uri is invalid')
  grant.used = true
  return tokens(form, grant, context)
}

function tokens(form: URLSearchParams, grant: Grant, { grants, switches }: VkidContext): RawResponse {
  const { access, refresh } = grants.issue(grant, { access: 'vk2.a.', refresh: 'vk2.r.' })
  const states = {
    echoed: form.get('state') ?? '',
    other: 'the-state-of-another-login-of-this-client',
    empty: '',
    absent: undefined,
  }
  return json(200, {
    access_token: access,
    refresh_token: refresh,
    // No key is published to verify it with, and its `aud` is not dependable.
    id_token: 'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJWSyJ9.c2lnbmF0dXJl',
    token_type: 'Bearer',
    expires_in: 3600,
    user_id: asNumber(grant.person.id),
    state: states[switches.tokenState],
    scope: grant.scopes.join(' '),
    ...switches.tokenFields,
  })
}

/** Takes a POST with the token in the form, or in a Bearer header. */
function userinfo(request: EndpointRequest, { grants, client, switches }: VkidContext): RawResponse {
  const form = formOf(request)
  if (form.get('client_id') !== client.id) return errorResponse('invalid_client', 'client_id is incorrect')
  const bearer = /^bearer +(?<token>\S+)$/i.exec(request.headers.authorization ?? '')?.groups?.['token']
  const grant = grants.byAccessToken(form.get('access_token') ?? bearer ?? null, switches.accessTokenLifetime)
  if (grant === undefined) return errorResponse('invalid_token', 'access_token is missing or invalid')
  const { id, name, email, sex, birthday } = grant.person
  const [firstName = '', ...rest] = name.split(' ')
  return json(200, {
    user: profileFields(grant.person, {
      user_id: switches.userId === 'string' ? id : asNumber(id),
      first_name: firstName,
      last_name: rest.join(' '),
      avatar: 'https://sun9-1.userapi.example/avatar.jpg',
      sex: sex === 'female' ? 1 : sex === 'male' ? 2 : 0,
      // The account's, not the email's.
      verified: true,
      birthday: birthday?.split('-').toReversed().join('.') ?? undefined,
      // An account that was made by phone has none.
      email: grant.scopes.includes('email') ? (email ?? undefined) : undefined,
    }),
  })
}

function end(request: EndpointRequest, { grants }: VkidContext): RawResponse {
  const known = grants.revoke(formOf(request).get('access_token') ?? '')
  return known ? json(200, { response: 1 }) : errorResponse('invalid_token', 'access_token is invalid')
}

function asNumber(id: string): bigint | string {
  return /^\d+$/.test(id) ? BigInt(id) : id
}
