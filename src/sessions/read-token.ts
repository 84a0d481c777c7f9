import { invalidToken, readBearer } from '../http/credentials.ts'
import type { RateLimits } from '../http/rate-limit.ts'
import type { SigningKeys } from '../keys/ring.ts'
import type { BearerSession } from '../tokens/access-token.ts'
import { verifyAccessToken } from '../tokens/access-token.ts'
import type { VerifiedToken } from '../tokens/token-pair.ts'
import { verifyEitherToken } from '../tokens/token-pair.ts'
import { InvalidToken } from '../tokens/verify-token.ts'

/** What verifies a caller's token, and counts those that are forged. */
export interface TokenServices {
  readonly keys: SigningKeys
  readonly limits: RateLimits
}

/**
 * The session of the access token in `Authorization`. Requests are counted per session, so that nobody uses up
 * another's share. Whether the session still lives is left to the statement that follows.
 * @param ip the caller's
 * @throws {Problem} token-missing, token-invalid, rate-limited
 */
export async function readBearerSession(
  authorization: string | undefined,
  ip: string,
  { keys, limits }: TokenServices,
): Promise<BearerSession> {
  const token = readBearer(authorization)
  try {
    const { sid, sub, client_id } = verifyAccessToken(keys, token)
    await limits.session(sid)
    return { sessionId: sid, userId: sub, siteId: client_id }
  } catch (error) {
    if (!(error instanceof InvalidToken)) throw error
    await countForgery(error, ip, limits)
    throw invalidToken()
  }
}

/**
 * A token that a site posts, verified; undefined where this service did not issue it or it is not good now.
 * @param ip the caller's
 * @throws {Problem} rate-limited
 */
export async function readPostedToken(
  token: string,
  ip: string,
  { keys, limits }: TokenServices,
): Promise<VerifiedToken | undefined> {
  try {
    return verifyEitherToken(keys, token)
  } catch (error) {
    if (!(error instanceof InvalidToken)) throw error
    await countForgery(error, ip, limits)
    return undefined
  }
}

/**
 * Counts only what costs a check of a signature: other junk is refused for less than a counter costs. A genuine token
 * that has expired is not counted either, as a site meets many of them through no fault of its own.
 * @param ip the caller's
 * @throws {Problem} rate-limited
 */
export async function countForgery({ flaw }: InvalidToken, ip: string, limits: RateLimits): Promise<void> {
  if (flaw === 'signature' || flaw === 'claims') await limits.invalidToken(ip)
}
