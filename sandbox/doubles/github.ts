import { randomBytes } from 'node:crypto'
import { github as plugin } from '../../plugins/github.ts'
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
import {
  basicCredentials,
  bodyCredentials,
  commonSwitches,
  formOf,
  json,
  profileFields,
  respondByGrantType,
} from './provider-rules.ts'

/** What can be switched at GitHub. */
export interface GithubSwitches extends CommonSwitches {
  /** What the profile shows as `email`, which a person chooses among theirs. */
  publicEmail: string | null
  /** Replaces the list of emails. */
  emails: readonly unknown[] | undefined
}

const paths = {
  authorize: '/login/oauth/authorize',
  token: '/login/oauth/access_token',
  userinfo: '/user',
} as const
const emailsPath = '/user/emails'

/** What distinguishes GitHub (docs.github.com/en/apps/oauth-apps). */
export const github = (): ProviderRules<GithubSwitches> => ({
  name: 'github',
  title: { ru: 'GitHub', en: 'GitHub' },
  mark: plugin.mark,
  vouchesForEmail: true,
  gives: ['name', 'login', 'email'],
  client: { id: 'Ov23liSandbox0a1b2c3', secret: '0a1b2c3d4e5f60718293a4b5c6d7e8f901234567' },
  paths,
  pages: {
    client: { page: '404: This is not the web page you are looking for.', status: 404 },
    redirectUri: { page: 'The redirect_uri is not associated with this application.', status: 400 },
  },
  defaultScopes: [],
  redirectUriOptional: true,
  switches: () => ({ ...commonSwitches(), publicEmail: null, emails: undefined }),
  env: (origin) => ({ GITHUB_EMAILS_URL: origin + emailsPath }),
  flaw,
  mintCode: () => randomBytes(10).toString('hex'),
  callback: ({ code }) => [['code', code]],
  errorParameters: (error, description = 'The user has denied your application access.') => [
    ['error', error],
    ['error_description', description],
    ['error_uri', 'https://docs.github.com/apps/troubleshooting-authorization-request-errors'],
  ],
  token: (request, context) => asAccepted(token(request, context), request),
  userinfo,
  routes: [{ method: 'GET', path: emailsPath, endpoint: 'emails', respond: emails }],
})

type GithubContext = Context<GithubSwitches>

function flaw(query: URLSearchParams): AuthorizationFlaw | undefined {
  const method = query.get('code_challenge_method')
  // `plain` is refused.
  if (query.has('code_challenge') && method !== 'S256')
    return { error: 'invalid_request', description: 'code_challenge_method must be S256' }
  return undefined
}

/** Error responses have status 200. */
const errorResponse = (error: string, description: string) =>
  json(200, {
    error,
    error_description: description,
    error_uri: 'https://docs.github.com/apps/troubleshooting-oauth-app-access-token-request-errors',
  })

function token(request: EndpointRequest, context: GithubContext): RawResponse {
  const { client, switches } = context
  const form = formOf(request)
  const header = basicCredentials(request.headers.authorization)
  const given = header === 'none' ? bodyCredentials(form) : header
  if (typeof given === 'string') return errorResponse('Not Found', 'client_id is missing')
  if (given.id !== client.id || given.secret !== client.secret || switches.forgetClient)
    return errorResponse(
      'incorrect_client_credentials',
      'The client_id and/or client_secret passed are incorrect.',
    )
  return respondByGrantType(form, context.grants, {
    authorizationCode: () => exchange(form, context),
    refreshToken: (grant) => tokens(grant, context),
    unknownRefreshToken: () =>
      errorResponse('bad_refresh_token', 'The refresh token is incorrect or expired.'),
    unsupported: () => errorResponse('unsupported_grant_type', 'The grant_type is not supported.'),
  })
}

const badCode = errorResponse('bad_verification_code', 'The code passed is incorrect or expired.')

function exchange(form: URLSearchParams, context: GithubContext): RawResponse {
  const grant = context.grants.byCode(form.get('code') ?? '')
  if (grant === undefined || grantState(grant, context.switches.codeLifetime) !== 'live') return badCode
  const redirectUri = form.get('redirect_uri')
  if (redirectUri !== null && redirectUri !== grant.request.get('redirect_uri'))
    return errorResponse(
      'redirect_uri_mismatch',
      'The redirect_uri MUST match the registered callback URL for this application.',
    )
  if (checkVerifier(grant, form.get('code_verifier')) !== 'right') return badCode
  grant.used = true
  return tokens(grant, context)
}

function tokens(grant: Grant, { grants, switches }: GithubContext): RawResponse {
  const { access, refresh } = grants.issue(grant, { access: 'gho_', refresh: 'ghr_' })
  return json(200, {
    access_token: access,
    refresh_token: refresh,
    token_type: 'bearer',
    scope: grant.scopes.join(','),
    ...switches.tokenFields,
  })
}

/** Without `Accept: application/json` the token endpoint answers with a form. */
function asAccepted(response: RawResponse, { headers }: EndpointRequest): RawResponse {
  if (headers.accept?.includes('application/json') === true) return response
  const members: [string, unknown][] = Object.entries(JSON.parse(response.body))
  const form = new URLSearchParams(members.map(([name, value]): [string, string] => [name, String(value)]))
  return {
    status: response.status,
    headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    body: form.toString(),
  }
}

/** The grant of an API request, or what the API answers without one. */
function granted({ headers }: EndpointRequest, { grants, switches }: GithubContext): Grant | RawResponse {
  if (!headers['user-agent'])
    return {
      status: 403,
      headers: { 'content-type': 'text/html' },
      body: 'Request forbidden by administrative rules.',
    }
  const sent = /^(?:bearer|token) +(?<token>\S+)$/i.exec(headers.authorization ?? '')?.groups?.['token']
  return (
    grants.byAccessToken(sent ?? null, switches.accessTokenLifetime) ??
    json(401, { message: 'Bad credentials' })
  )
}

function userinfo(request: EndpointRequest, context: GithubContext): RawResponse {
  const grant = granted(request, context)
  if ('status' in grant) return grant
  const { id, login, name } = grant.person
  return json(
    200,
    profileFields(grant.person, {
      login,
      id: /^\d+$/.test(id) ? BigInt(id) : id,
      node_id: 'MDQ6VXNlcjE=',
      avatar_url: 'https://avatars.example/u/1',
      type: 'User',
      name: name || null,
      email: context.switches.publicEmail,
      two_factor_authentication: true,
    }),
  )
}

/** The list has every address of the person. Without the scope there is no such page. */
function emails(request: EndpointRequest, context: GithubContext): RawResponse {
  const grant = granted(request, context)
  if ('status' in grant) return grant
  if (!grant.scopes.some((scope) => scope === 'user:email' || scope === 'user'))
    return json(404, { message: 'Not Found' })
  const { email, emailVerified, login } = grant.person
  const noReply = {
    email: `${login}@users.noreply.github.example`,
    primary: false,
    verified: true,
    visibility: null,
  }
  const primary = { email, primary: true, verified: emailVerified, visibility: 'private' }
  return json(200, context.switches.emails ?? (email === null ? [] : [noReply, primary]))
}
