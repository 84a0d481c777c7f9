import { createHash, randomBytes } from 'node:crypto'
import { serveDouble } from '../serve.ts'
import { json } from './answers.ts'
import { basicCredentials, bodyCredentials, formOf } from './client-auth.ts'
import type { Answer, CommonSwitches, DoubleOptions, DoublePerson, ProviderDouble } from './double.ts'
import type { Grant } from './grants.ts'
import { checkVerifier, grantState } from './grants.ts'
import type { Context, EndpointRequest, Rules } from './rules.ts'
import { commonSwitches, profileFields } from './rules.ts'

/** OAuth Mail where its two copies of the documents differ, or nobody has written it down. */
export interface MailSwitches extends CommonSwitches {
  /** Of an error object: 200 as seen, another to try. */
  errorStatus: 200 | 400 | 401
  bodyCredentials: 'accepted' | 'refused'
  pkce: 'enforced' | 'ignored'
  stateRequired: boolean
  /** `openid`: `sub` and `picture` in place of `id` and `image`, as the newer scopes may give. */
  userinfoShape: 'classic' | 'openid'
  /** 403 to a client that does not name itself. */
  userAgentRequired: boolean
}

/** A server that behaves as oauth.mail.ru does. */
export function startMailDouble(options: DoubleOptions): Promise<ProviderDouble<MailSwitches>> {
  return serveDouble(mail(), options)
}

/** What distinguishes OAuth Mail (id.vk.com/about/business/go/docs/ru/vkid/latest/oauth/oauth-mail/index). */
export const mail = (): Rules<MailSwitches> => ({
  name: 'mail',
  title: { ru: 'Mail.ru', en: 'Mail.ru' },
  vouchesForEmail: false,
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
  refusal: (error, description = 'access denied') => [
    ['error', error],
    ['error_code', '4'],
    ['error_description', description],
  ],
  token,
  userinfo,
  routes: [],
})

type MailContext = Context<MailSwitches>

/** The error's name is words, its number an int, and its status that of a success. */
const refuse = (context: MailContext, error: string, code: number, description = error) =>
  json(context.switches.errorStatus, { error, error_code: code, error_description: description })

const tokenNotFound = (context: MailContext) => refuse(context, 'token not found', 6)
const missing = (context: MailContext, name: string) =>
  refuse(context, 'invalid request', 2, `missing request parameter: ${name}`)

function token(request: EndpointRequest, context: MailContext): Answer {
  const refused = refuseUserAgent(request, context) ?? refuseClient(request, context)
  if (refused !== undefined) return refused
  const form = formOf(request)
  switch (form.get('grant_type')) {
    case null:
      return missing(context, 'grant_type')
    case 'authorization_code':
      return exchange(form, context)
    case 'refresh_token': {
      const grant = context.grants.byRefreshToken(form.get('refresh_token'))
      return grant === undefined ? tokenNotFound(context) : tokens(grant, context, { refreshed: true })
    }
    default:
      return refuse(context, 'unsupported grant type', 5)
  }
}

/** Like the real one, it does not tell a client that it cannot read from a code that it cannot find. */
function refuseClient(request: EndpointRequest, context: MailContext): Answer | undefined {
  const { client, switches } = context
  const header = basicCredentials(request.headers.authorization)
  if (header === 'other' || header === 'malformed') return tokenNotFound(context)
  if (header === 'none' && switches.bodyCredentials === 'refused') return tokenNotFound(context)
  const given = header === 'none' ? bodyCredentials(formOf(request)) : header
  if (given === 'none') return missing(context, 'client_id')
  if (given.id !== client.id || given.secret !== client.secret || switches.forgetClient)
    return refuse(context, 'invalid client', 1)
  return undefined
}

function exchange(form: URLSearchParams, context: MailContext): Answer {
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

/** No `token_type`, which RFC 6749 §5.1 requires; a refreshed answer has no refresh token either. */
function tokens(
  grant: Grant,
  { grants, switches }: MailContext,
  { refreshed }: { refreshed: boolean },
): Answer {
  const { access, refresh } = grants.issue(grant, { access: '', refresh: '' })
  return json(200, {
    expires_in: 3600,
    refresh_token: refreshed ? undefined : refresh,
    access_token: access,
    ...switches.tokenFields,
  })
}

/** The token counts in the query alone; a Bearer header is not read. */
function userinfo(request: EndpointRequest, context: MailContext): Answer {
  const refused = refuseUserAgent(request, context)
  if (refused !== undefined) return refused
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
    // The application's, not the person's: whoever takes it for a subject makes one user of everybody.
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

function refuseUserAgent(request: EndpointRequest, { switches }: MailContext): Answer | undefined {
  const named = !['', 'node', 'undici'].includes(request.headers['user-agent'] ?? '')
  if (named || !switches.userAgentRequired) return undefined
  return { status: 403, headers: { 'content-type': 'text/html' }, body: '<h1>403 Forbidden</h1>' }
}
