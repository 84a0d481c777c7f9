import { finishWithin } from '../deadlines.ts'
import type { Credentials } from '../http/credentials.ts'
import type { SigningKeys } from '../keys/ring.ts'
import type { FinishRequest } from '../login/check-request.ts'
import type { FinishedLogin, FinishServices } from '../login/finish.ts'
import { finish } from '../login/finish.ts'
import { readCode } from '../login/opaque-code.ts'
import type { LoginProgress } from '../login-history/progress.ts'
import { Problem } from '../problems/problem.ts'
import type { ProblemName } from '../problems/table.ts'
import { problems } from '../problems/table.ts'
import type { TokenPair } from '../tokens/token-pair.ts'
import { issueTokenPair } from '../tokens/token-pair.ts'
import { hasScope } from '../users/scope.ts'
import { issueIdToken } from './id-token.ts'

/** What a client posts to exchange a code (RFC 6749 §4.1.3). */
export interface CodeGrant {
  readonly code: string
  readonly redirectUri: string
  readonly clientId: string
  readonly codeVerifier?: string
  readonly credentials?: Credentials
  readonly ip: string
}

/** A token response (RFC 6749 §5.1), with an ID token where the scope has `openid`. */
export type Tokens = TokenPair & { readonly id_token?: string }

/** The finish that a code stands for. A text that is no code of ours finishes no login, and counts as an unknown one. */
export function finishOf({ code, redirectUri, clientId, ...rest }: CodeGrant): FinishRequest {
  const parts = readCode(code) ?? { state: '', provider: '', code: '' }
  return { ...rest, ...parts, openid: { clientId, redirectUri } }
}

/**
 * Finishes a login for a standard client. The code is good once, for everybody: what the guide's own finish repeats for an
 * authenticated caller is refused here.
 * @throws {Problem} those of finish, with errors that RFC 6749 §5.2 knows; code-used
 * @throws {StoreUnavailable}
 */
export async function finishByCode(
  request: FinishRequest,
  services: FinishServices,
  signal: AbortSignal,
  progress: LoginProgress,
): Promise<FinishedLogin> {
  try {
    return await finish(request, services, signal, progress)
  } catch (error) {
    throw error instanceof Problem ? standardProblem(error) : error
  }
}

/** The problems that a token request by a code may have besides those of a finish. */
export const codeProblems = ['code-used', 'redirect-url-mismatch'] as const satisfies readonly ProblemName[]

/** The errors of RFC 6749 §5.2 with status 400; those of a failing service have none there and keep their own. */
const standardErrors: ReadonlySet<string> = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
])

function standardProblem(problem: Problem): Problem {
  const { type, status, options } = problem
  // Until it is known how the first request ended, the guide's finish asks to wait; a code is used from its first use on.
  if (type === 'login-completed' || type === 'login-in-progress') return new Problem('code-used')
  const error = options.error ?? problems[type].error
  return status === 400 && !standardErrors.has(error)
    ? new Problem(type, { ...options, error: 'invalid_grant' })
    : problem
}

/** Signs the tokens of a finished login; the ID token off the event loop. */
export async function issueTokens(keys: SigningKeys, { session, checked }: FinishedLogin): Promise<Tokens> {
  const { login, site, response } = checked
  const pair = issueTokenPair(keys, session)
  const { openid } = login
  if (openid === undefined || !hasScope(openid.scope, 'openid')) return pair
  const id_token = await issueIdToken(keys, site.idTokenAlg, {
    userId: session.userId,
    siteId: session.siteId,
    sessionId: session.sessionId,
    scope: openid.scope,
    person: session,
    ...(openid.nonce !== undefined && { nonce: openid.nonce }),
    authenticatedAt: response.finishBy - finishWithin,
    accessToken: pair.access_token,
    life: pair.expires_in,
  })
  return { ...pair, id_token }
}
