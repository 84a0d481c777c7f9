import { invalidToken, readBearer } from '../http/credentials.ts'
import type { RateLimits } from '../http/rate-limit.ts'
import type { SigningKeys } from '../keys/signing-keys.ts'
import { InvalidToken, verifyAccessToken } from '../tokens/access-token.ts'
import type { AnyClaims } from './introspect.ts'
import { readToken } from './introspect.ts'
import type { BearerSession } from './session.ts'

/** What reading a stranger's token stands on. */
export interface BearerServices {
  readonly keys: SigningKeys
  readonly limits: RateLimits
}

/**
 * Who asks, by the access token in `Authorization`; counted by its session, so that nobody uses up another's share.
 * Whether the session still lives is for the statement that follows to say.
 * @param address the caller's network address
 * @throws {Problem} token-missing, token-invalid, rate-limited
 */
export async function readBearerSession(
  authorization: string | undefined,
  address: string,
  { keys, limits }: BearerServices,
): Promise<BearerSession> {
  const token = readBearer(authorization)
  try {
    const { sid, sub, client_id } = verifyAccessToken(keys, token)
    await limits.session(sid)
    return { sessionId: sid, userId: sub, siteId: client_id }
  } catch (error) {
    if (!(error instanceof InvalidToken)) throw error
    await countForgery(error, address, limits)
    throw invalidToken()
  }
}

/**
 * The claims of a token that somebody posts; undefined where it is none of ours, or not good now.
 * @param address the caller's network address
 * @throws {Problem} rate-limited
 */
export async function readPosted(
  token: string,
  address: string,
  { keys, limits }: BearerServices,
): Promise<AnyClaims | undefined> {
  const known = readToken(keys, token)
  if (!(known instanceof InvalidToken)) return known
  await countForgery(known, address, limits)
  return undefined
}

/**
 * Only what costs a check of a signature is counted: junk is refused for less than a counter costs. A token of ours
 * that ran out is not counted either, as a site meets many of them by its users' fault and not its own.
 */
async function countForgery({ flaw }: InvalidToken, address: string, limits: RateLimits): Promise<void> {
  if (flaw === 'signature' || flaw === 'claims') await limits.invalidToken(address)
}
