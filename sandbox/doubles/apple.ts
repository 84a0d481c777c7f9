import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { jwtVerify } from 'jose'
import { apple as plugin } from '../../plugins/apple.ts'
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
import { commonSwitches, formOf, json, profileFields, respondByGrantType } from './provider-rules.ts'

/** What can be switched at Apple, where its documents say nothing, and what a person can do there. */
export interface AppleSwitches extends CommonSwitches {
  /** When the callback has `user`: with the first consent of a person, with each, or never. */
  user: 'first-consent' | 'always' | 'never'
  /** The form of `user`. */
  userForm: 'usual' | 'broken' | 'too-long' | 'markup'
  /** Where the email is: in the ID token (and in `user`), or in `user` alone. */
  email: 'token' | 'user-alone'
  /** A person may hide the email: Apple forwards to it from an address of its own. */
  relay: boolean
  /** Apple writes some booleans as text. */
  booleans: 'boolean' | 'text'
  /** Its documents do not mention PKCE. */
  pkce: 'enforced' | 'ignored'
  idToken: IdTokenSpoiling | undefined
  /** Replaces claims of the ID token. */
  idTokenClaims: Claims
  /** What signs; `rotate()` replaces both keys. */
  readonly keys: IdTokenKeys
}

const paths = { authorize: '/auth/authorize', token: '/auth/token', jwks: '/auth/keys' } as const

const teamId = 'SANDBOXTEAM'
const keyId = 'SANDBOXKEY'

/** Seconds: Apple accepts no client secret that is valid for longer. */
const secretLives = 15_777_000

/** What distinguishes Apple (developer.apple.com/documentation/signinwithapplerestapi). */
export const apple = (): ProviderRules<AppleSwitches> => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const consented = new Set<string>()
  return {
    name: 'apple',
    title: { ru: 'Apple', en: 'Apple' },
    mark: plugin.mark,
    vouchesForEmail: true,
    gives: ['name', 'email'],
    client: { id: 'example.auth-movies.sandbox', secret: '' },
    paths,
    pages: {
      client: { page: 'invalid_client', status: 400 },
      redirectUri: { page: 'Invalid web redirect url.', status: 400 },
    },
    defaultScopes: [],
    redirectUriOptional: false,
    callbackMethod: 'POST',
    switches: () => ({
      ...commonSwitches(),
      user: 'first-consent',
      userForm: 'usual',
      email: 'token',
      relay: false,
      booleans: 'text',
      pkce: 'enforced',
      idToken: undefined,
      idTokenClaims: {},
      keys: new IdTokenKeys(),
    }),
    env: (origin) => ({
      APPLE_TEAM_ID: teamId,
      APPLE_KEY_ID: keyId,
      APPLE_PRIVATE_KEY: pair.privateKey
        .export({ format: 'pem', type: 'pkcs8' })
        .toString()
        .trim()
        .replaceAll('\n', '\\n'),
      APPLE_ISSUER: origin,
      APPLE_JWKS_URL: origin + paths.jwks,
    }),
    flaw,
    mintCode: () => `c${randomBytes(24).toString('hex')}.0.${randomBytes(8).toString('base64url')}`,
    callback: (grant, context) => {
      const first = !consented.has(grant.person.id)
      consented.add(grant.person.id)
      return [['code', grant.code], ...userParameter(grant, context, first)]
    },
    errorParameters: (error) => [['error', error === 'access_denied' ? 'user_cancelled_authorize' : error]],
    token: async (request, context) => {
      const accepted = await isSecretRight(formOf(request), context, pair.publicKey)
      return accepted ? token(formOf(request), context) : errorResponse('invalid_client')
    },
    routes: [
      {
        method: 'GET',
        path: paths.jwks,
        endpoint: 'jwks',
        respond: async (_request, { switches }) => json(200, await switches.keys.jwks()),
      },
      {
        method: 'POST',
        path: '/auth/revoke',
        respond: async (request: EndpointRequest, context) => {
          const form = formOf(request)
          if (!(await isSecretRight(form, context, pair.publicKey))) return errorResponse('invalid_client')
          context.grants.revoke(form.get('token') ?? '')
          return { status: 200, body: '' }
        },
      },
    ],
  }
}

type AppleContext = Context<AppleSwitches>

/** Error responses have no description. */
const errorResponse = (error: string) => json(400, { error })

function flaw(query: URLSearchParams): AuthorizationFlaw | undefined {
  if (query.get('response_type') !== 'code') return { page: 'invalid_request: response_type', status: 400 }
  // With any scope.
  if (query.get('scope') && query.get('response_mode') !== 'form_post')
    return {
      page: 'invalid_request: response_mode must be form_post when name or email scope is requested.',
      status: 400,
    }
  return undefined
}

/** The parameter `user`, which carries the only name that Apple ever tells. */
function userParameter(
  { person, scopes }: Grant,
  { switches }: AppleContext,
  first: boolean,
): readonly (readonly [string, string])[] {
  const comes = switches.user === 'always' || (switches.user === 'first-consent' && first)
  if (!comes || !scopes.includes('name')) return []
  const [firstName = '', ...rest] = person.name.split(' ')
  const lastName = rest.join(' ')
  const email = scopes.includes('email') ? emailOf(person, switches) : null
  const user = { name: { firstName, lastName }, ...(email !== null && { email }) }
  const forms = {
    usual: JSON.stringify(user),
    broken: '{"name":{"firstName":',
    'too-long': JSON.stringify({ ...user, name: { firstName: 'x'.repeat(5_000), lastName } }),
    markup: JSON.stringify({ ...user, name: { firstName: '<img src=x onerror=alert(1)>', lastName: '"&' } }),
  }
  return [['user', forms[switches.userForm]]]
}

/** The client secret is a JWT that the client signs with the key that it registered. */
async function isSecretRight(
  form: URLSearchParams,
  { client, switches }: AppleContext,
  key: Parameters<typeof jwtVerify>[1] & object,
): Promise<boolean> {
  if (form.get('client_id') !== client.id || switches.forgetClient) return false
  const verified = await jwtVerify(form.get('client_secret') ?? '', key, {
    algorithms: ['ES256'],
    issuer: teamId,
    subject: client.id,
    audience: 'https://appleid.apple.com',
    requiredClaims: ['exp', 'iat'],
  }).catch(() => undefined)
  if (verified === undefined) return false
  const { payload, protectedHeader } = verified
  return protectedHeader.kid === keyId && (payload.exp ?? 0) - (payload.iat ?? 0) <= secretLives
}

function token(form: URLSearchParams, context: AppleContext): RawResponse | Promise<RawResponse> {
  return respondByGrantType<RawResponse | Promise<RawResponse>>(form, context.grants, {
    authorizationCode: () => exchange(form, context),
    refreshToken: (grant) => tokens(grant, context),
    unknownRefreshToken: () => errorResponse('invalid_grant'),
    unsupported: () => errorResponse('unsupported_grant_type'),
  })
}

function exchange(form: URLSearchParams, context: AppleContext): RawResponse | Promise<RawResponse> {
  const grant = context.grants.byCode(form.get('code') ?? '')
  if (grant === undefined || grantState(grant, context.switches.codeLifetime) !== 'live')
    return errorResponse('invalid_grant')
  if (form.get('redirect_uri') !== grant.request.get('redirect_uri')) return errorResponse('invalid_grant')
  const verifier = checkVerifier(grant, form.get('code_verifier'))
  if (context.switches.pkce === 'enforced' && verifier !== 'right') return errorResponse('invalid_grant')
  grant.used = true
  return tokens(grant, context)
}

async function tokens(grant: Grant, context: AppleContext): Promise<RawResponse> {
  const { grants, switches } = context
  const { access, refresh } = grants.issue(grant, { access: 'a.', refresh: 'r.' })
  return json(200, {
    access_token: access,
    token_type: 'Bearer',
    expires_in: 3600,
    refresh_token: refresh,
    id_token: await switches.keys.sign(claimsOf(grant, access, context), 'any', switches.idToken),
    ...switches.tokenFields,
  })
}

function claimsOf({ person, scopes, request }: Grant, access: string, context: AppleContext): Claims {
  const { client, origin, switches } = context
  const now = Math.floor(Date.now() / 1000)
  const written = (value: boolean) => (switches.booleans === 'text' ? String(value) : value)
  const email = scopes.includes('email') && switches.email === 'token' ? emailOf(person, switches) : null
  return {
    iss: origin,
    aud: client.id,
    iat: now,
    exp: now + 600,
    nonce: request.get('nonce') ?? undefined,
    nonce_supported: true,
    auth_time: now,
    at_hash: accessTokenHash(access),
    ...profileFields(person, {
      sub: appleSubject(person.id),
      // The name is never here.
      ...(email !== null && {
        email,
        email_verified: written(switches.relay || person.emailVerified),
        is_private_email: written(switches.relay),
      }),
    }),
    ...switches.idTokenClaims,
  }
}

function emailOf({ id, email }: DoublePerson, { relay }: AppleSwitches): string | null {
  if (email === null || !relay) return email
  return `${createHash('sha256').update(id).digest('hex').slice(0, 10)}@privaterelay.appleid.example`
}

/** A subject of Apple: the same within a team, another one for another team. */
export function appleSubject(id: string): string {
  const hex = createHash('sha256').update(`${teamId}:${id}`).digest('hex')
  return `000544.${hex.slice(0, 32)}.1321`
}
