import { createHash, randomBytes } from 'node:crypto'
import { mail as plugin } from '../../plugins/mail.ts'
import type { DoubleOptions, ProviderDouble } from './double.ts'
import { serveDouble } from './double.ts'
import type { RawResponse } from './faults.ts'
import type { Grant } from './grants.ts'
import { checkVerifier, grantState } from './grants.ts'
import type { DoublePerson } from './people.ts'
import type { CommonSwitches, Context, EndpointRequest, ProviderRules } from './provider-rules.ts'
import {
  basicCredentials,
  bodyCredentials,
  commonSwitches,
  formOf,
  json,
  profileFields,
  respondByGrantType,
} from './provider-rules.ts'

/** What can be switched at OAuth Mail, where its two copies of the documents differ or say nothing. */
export interface MailSwitches extends CommonSwitches {
  /** The status of error responses: the real one sends 200. */
  errorStatus: 200 | 400 | 401
  bodyCredentials: 'accepted' | 'refused'
  pkce: 'enforced' | 'ignored'
  stateRequired: boolean
  /** `openid`: `sub` and `picture` instead of `id` and `image`, as the newer scopes may give. */
  userinfoShape: 'classic' | 'openid'
  /** Whether a request without a User-Agent of its own gets a 403. */
  userAgentRequired: boolean
}

/** A server that behaves as oauth.mail.ru does. */
export function startMailDouble(options: DoubleOptions): Promise<ProviderDouble<MailSwitches>> {
  return serveDouble(mail(), options)
}

/** What distinguishes OAuth Mail (id.vk.com/about/business/go/docs/ru/vkid/latest/oauth/oauth-mail/index). */
export const mail = (): ProviderRules<MailSwitches> => ({
  name: 'mail',
  title: { ru: 'Mail.ru', en: 'Mail.ru' },
  mark: plugin.mark,
  vouchesForEmail: false,
  gives: ['name', 'login', 'email'],
  client: { id: '0a1b2c3d4e5f60718293a4b5c6d7e8f9', secret: '9f8e7d6c5b4a39281706f5e4d3c2b1a0' },
  paths: { authorize: '/login', token: '/token', userinfo: '/userinfo' },
  pages: {
    client: { page: 'The application is not specified or does not exist', status: 400 },
    redirectUri: { page: 'redirect_uri differs from the one of the application', status: 400 },
  },
  defaultScopes: ['userinfo'],
  redirectUriOptional: false,
  switches: () => ({
    ...commonSwitches(),
    errorStatus: 200,
    bodyCredentials: 'accepted',
    pkce: 'enforced',
    stateRequired: false,
    userinfoShape: 'classic',
    userAgentRequired: false,
  }),
  env: () => ({}),
  flaw: (query, { switches }) => {
    if (query.get('response_type') !== 'code') return { page: 'response_type must be code', status: 400 }
    if (switches.stateRequired && !query.get('state')) return { page: 'state is missing', status: 400 }
    return undefined
  },
  mintCode: () => randomBytes(20).toString('hex'),
  callback: ({ code }) => [['code', code]],
  errorParameters: (error, description = 'access denied') => [
    ['error', error],
    ['error_code', '4'],
    ['error_description', description],
  ],
  token,
  userinfo,
  routes: [],
})

type MailContext = Context<MailSwitches>

/** Error responses: `error` is words, `error_code` a number, and the status that of a success. */
const errorResponse = (context: MailContext, error: string, code: number, description = error) =>
  json(context.switches.errorStatus, { error, error_code: code, error_description: description })

const tokenNotFound = (context: MailContext) => errorResponse(context, 'token not found', 6)
const missing = (context: MailContext, name: string) =>
  errorResponse(context, 'invalid request', 2, `missing request parameter: ${name}`)

function token(request: EndpointRequest, context: MailContext): RawResponse {
  const error = userAgentError(request, context) ?? clientError(request, context)
  if (error !== undefined) return error
  const form = formOf(request)
  return respondByGrantType(form, context.grants, {
    authorizationCode: () => exchange(form, context),
    refreshToken: (grant) => tokens(grant, context, { refreshed: true }),
    unknownRefreshToken: () => tokenNotFound(context),
    unsupported: (type) =>
      type === null ? missing(context, 'grant_type') : errorResponse(context, 'unsupported grant type', 5),
  })
}

/**
 * The error response for wrong client credentials. Like the real one, it sends the same error for credentials that it cannot
 * read and for a code that it cannot find.
 */
function clientError(request: EndpointRequest, context: MailContext): RawResponse | undefined {
  const { client, switches } = context
  const header = basicCredentials(request.headers.authorization)
  if (header === 'other' || header === 'malformed') return tokenNotFound(context)
  if (header === 'none' && switches.bodyCredentials === 'refused') return tokenNotFound(context)
  const given = header === 'none' ? bodyCredentials(formOf(request)) : header
  if (given === 'none') return missing(context, 'client_id')
  if (given.id !== client.id || given.secret !== client.secret || switches.forgetClient)
    return errorResponse(context, 'invalid client', 1)
  return undefined
}

function exchange(form: URLSearchParams, context: MailContext): RawResponse {
  const code = form.get('code')
  if (code === null) return missing(context, 'code')
  if (!form.has('redirect_uri')) return missing(context, 'redirect_uri')
  const grant = context.grants.byCode(code)
  if (grant === undefined || grantState(grant, context.switches.codeLifetime) !== 'live')
    return tokenNotFound(context)
  if (form.get('redirect_uri') !== grant.request.get('redirect_uri')) return tokenNotFound(context)
  const verifier = checkVerifier(grant, form.get('code_verifier'))
  if (context.switches.pkce === 'enforced' && (verifier === 'wrong' || verifier === 'missing'))
    return tokenNotFound(context)
  grant.used = true
  return tokens(grant, context, { refreshed: false })
}

/** A token response without `token_type`, which RFC 6749 §5.1 requires; after a refresh without a refresh token, too. */
function tokens(
  grant: Grant,
  { grants, switches }: MailContext,
  { refreshed }: { refreshed: boolean },
): RawResponse {
  const { access, refresh } = grants.issue(grant, { access: '', refresh: '' })
  return json(200, {
    expires_in: 3600,
    refresh_token: refreshed ? undefined : refresh,
    access_token: access,
    ...switches.tokenFields,
  })
}

/** Userinfo reads the access token from the query only, not from a Bearer header. */
function userinfo(request: EndpointRequest, context: MailContext): RawResponse {
  const error = userAgentError(request, context)
  if (error !== undefined) return error
  const given = request.query.get('access_token')
  if (given === null) return missing(context, 'access_token')
  const grant = context.grants.byAccessToken(given, context.switches.accessTokenLifetime)
  if (grant === undefined) return tokenNotFound(context)
  return json(200, profile(grant.person, context))
}

function profile(person: DoublePerson, { client, switches }: MailContext): Record<string, unknown> {
  const { id, login, name, email, sex, birthday } = person
  const [firstName = '', ...rest] = name.split(' ')
  const openid = switches.userinfoShape === 'openid'
  const image = `https://filin.mail.example/pic?d=${createHash('sha256').update(id).digest('base64url')}`
  return profileFields(person, {
    [openid ? 'sub' : 'id']: id,
    // The application's id. A client that takes it for the subject makes one user of all people.
    client_id: client.id,
    gender: sex === null ? undefined : sex.charAt(0),
    name,
    nickname: login,
    locale: 'ru_RU',
    first_name: firstName,
    last_name: rest.join(' '),
    email: email ?? undefined,
    birthday: birthday?.split('-').toReversed().join('.'),
    [openid ? 'picture' : 'image']: image,
  })
}

function userAgentError(request: EndpointRequest, { switches }: MailContext): RawResponse | undefined {
  const named = !['', 'node', 'undici'].includes(request.headers['user-agent'] ?? '')
  if (named || !switches.userAgentRequired) return undefined
  return { status: 403, headers: { 'content-type': 'text/html' }, body: '<h1>403 Forbidden</h1>' }
}
