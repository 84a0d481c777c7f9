import type { FastifyBaseLogger } from 'fastify'
import type { Deadlines } from '../deadlines.ts'
import type { About } from '../http/access-log.ts'
import type { Credentials } from '../http/credentials.ts'
import { unauthorized } from '../http/credentials.ts'
import type { Metrics } from '../http/metrics.ts'
import type { RateLimits } from '../http/rate-limit.ts'
import type { SigningKeys } from '../keys/ring.ts'
import { Problem } from '../problems/problem.ts'
import { authenticate, countedOf, limitedSite, refuseNativeSecret } from '../sites/authenticate.ts'
import type { Sites } from '../sites/lookup.ts'
import type { Database } from '../storage/postgres.ts'
import type { RefreshClaims } from '../tokens/refresh-token.ts'
import { verifyRefreshToken } from '../tokens/refresh-token.ts'
import type { TokenPair } from '../tokens/token-pair.ts'
import { issueTokenPair } from '../tokens/token-pair.ts'
import { InvalidToken } from '../tokens/verify-token.ts'
import type { RefreshOutcome, RefusalReason } from './rotate-session.ts'
import { rotateSession } from './rotate-session.ts'
import type { Session } from './session.ts'

/** What a refresh needs. */
export interface RefreshServices {
  readonly database: Database
  readonly keys: SigningKeys
  readonly sites: Sites
  readonly limits: RateLimits
  /** Times in seconds. */
  readonly config: {
    readonly refreshTokenTtl: number
    readonly refreshGrace: number
    readonly deadlines: Pick<Deadlines, 'refresh'>
  }
  readonly metrics: Pick<Metrics, 'refreshes'>
}

/** The values of `outcome` in the metric of refreshes: those of a rotation, and a token that does not verify. */
export const refreshOutcomes = [
  'rotated',
  'repeated',
  'reused',
  'ahead',
  'refused',
  'invalid',
] as const satisfies readonly (RefreshOutcome['kind'] | 'invalid')[]

/** What a site's backend posts. */
export interface RefreshRequest {
  readonly refreshToken: string
  readonly credentials?: Credentials
  /** The `client_id` of a caller without a secret, where it names itself; it must be that of the token. */
  readonly clientId?: string
  /** Of the caller. */
  readonly ip: string
}

/**
 * Trades a refresh token for a new pair (RFC 6749 §6). Its signature is checked first, which costs little, then one
 * statement rotates its session.
 * @throws {Problem} wrong-credentials, secret-not-accepted, refresh-token-invalid, refresh-token-reused,
 *   session-ended, user-disabled, site-disabled, secret-required, rate-limited
 */
export async function refresh(
  request: RefreshRequest,
  services: RefreshServices,
  about: Pick<About, 'site'> & { readonly log: FastifyBaseLogger },
  signal: AbortSignal,
): Promise<TokenPair> {
  const token = readToken(request.refreshToken, services)
  about.site = token.client_id
  const caller = await authenticate(request.credentials, request.ip, services)
  refuseNativeSecret(caller)
  // Another site's token must not count against that site.
  const claimed = caller?.id ?? request.clientId
  if (claimed !== undefined && claimed !== token.client_id) throw new Problem('refresh-token-invalid')
  const site = caller ?? limitedSite(token.client_id, services.sites)
  await services.limits.countRequest('refresh', site, countedOf(caller, request.ip))
  const outcome = await rotateSession(
    services.database,
    {
      sessionId: token.sid,
      ...(token.uid !== undefined && { userId: token.uid }),
      generation: token.gen,
      authenticatedSite: caller?.id ?? null,
      refreshKid: services.keys.active('refresh').kid,
      ttl: services.config.refreshTokenTtl,
      grace: services.config.refreshGrace,
    },
    signal,
  )
  services.metrics.refreshes.inc({ outcome: outcome.kind })
  if ('session' in outcome) return issueTokenPair(services.keys, outcome.session)
  throw problemOf(outcome, about.log)
}

function readToken(token: string, { keys, metrics }: RefreshServices): RefreshClaims {
  try {
    return verifyRefreshToken(keys, token)
  } catch (error) {
    if (!(error instanceof InvalidToken)) throw error
    metrics.refreshes.inc({ outcome: 'invalid' })
    throw new Problem('refresh-token-invalid', { cause: error })
  }
}

const refused: Readonly<Record<RefusalReason, () => Problem>> = {
  'secret-required': () => unauthorized('secret-required'),
  'other-site': () => new Problem('refresh-token-invalid'),
  'site-disabled': () => new Problem('site-disabled'),
  // RFC 6749 §5.2 has no access_denied: for an OAuth client this token is over.
  'user-disabled': () => new Problem('user-disabled', { error: 'invalid_grant' }),
  ended: () => new Problem('session-ended'),
  unknown: () => new Problem('session-ended'),
}

/** The problem for a token that ended its session, and the cause that is logged. */
const endings = {
  reused: { problem: 'refresh-token-reused', cause: 'it was superseded before: somebody else may hold it' },
  // Nobody is suspected, so the site gets the same problem as for any ended session.
  ahead: {
    problem: 'session-ended',
    cause:
      'it is newer than the session: the database was restored from a backup, or a standby that lagged took over',
  },
} as const

/** The problem for an outcome without a session; a token that ended its session is logged. */
function problemOf(
  outcome: Exclude<RefreshOutcome, { readonly session: Session }>,
  log: FastifyBaseLogger,
): Problem {
  if (outcome.kind === 'refused') return refused[outcome.reason]()
  const { problem, cause } = endings[outcome.kind]
  log.warn(
    { sessionId: outcome.sessionId, siteId: outcome.siteId, cause },
    'a refresh token ended its session',
  )
  return new Problem(problem)
}
