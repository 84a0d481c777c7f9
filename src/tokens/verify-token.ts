import { Type } from 'typebox'
import type { SigningKeys, TokenKeyKind } from '../keys/ring.ts'

/** Why a token was refused, for logs and metrics. */
export type TokenFlaw =
  | 'too-long'
  | 'malformed'
  | 'critical-header'
  | 'unknown-key'
  | 'signature'
  | 'claims'
  | 'expired'

/** The token was not issued by this service, or is not good now. The error holds nothing of it, so it may be logged. */
export class InvalidToken extends Error {
  override readonly name = 'InvalidToken'
  readonly flaw: TokenFlaw

  constructor(flaw: TokenFlaw) {
    super(`The token was refused: ${flaw}.`)
    this.flaw = flaw
  }
}

/** Bytes. A longer token is refused unread; those that this service issues have less than one kilobyte. */
const maxLength = 8 * 1024

/** Milliseconds by which `iat` and `nbf` may be ahead: a database that took over may have another clock. */
const leeway = 60_000

/** Seconds since the epoch (RFC 7519 §2), up to the year 9999. */
const NumericDate = Type.Integer({ minimum: 1, maximum: 253_402_300_799 })

/** The id of a user or a session: a UUID in lower case. */
export const Uuid = Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' })

/** The claims that both kinds of token have (RFC 7519 §4.1). */
export const commonClaims = {
  iss: Type.String(),
  /** The site. */
  client_id: Type.String(),
  jti: Type.String({ minLength: 1 }),
  /** The session. */
  sid: Uuid,
  iat: NumericDate,
  exp: NumericDate,
  nbf: Type.Optional(NumericDate),
}

/** A kind of token, as access-token.ts and refresh-token.ts describe it. */
export interface TokenKind<Claims> {
  readonly kind: TokenKeyKind
  readonly claims: { Check(value: unknown): value is Claims }
  /** Seconds from `iat` to `exp` at most. */
  readonly longestLife: number
}

/**
 * The claims of a token that this service issued, of this kind and good now. The key is looked up by the exact `kid`
 * before anything is verified; nothing in the header chooses an algorithm or a URL (RFC 8725 §3.1, §3.10).
 * Expiry has no leeway, as one clock (the database's) both sets and judges it.
 * @param kid the token's, as kidOf gives it
 * @throws {InvalidToken} whatever is wrong, and nothing else
 */
export function verifyToken<Claims>(
  keys: SigningKeys,
  token: string,
  kid: string,
  { kind, claims: schema, longestLife }: TokenKind<Claims>,
): Claims {
  const key = keys.find(kind, kid)
  if (key === undefined) throw new InvalidToken('unknown-key')
  const claims = signedClaims(() => key.verify(token))
  if (!schema.Check(claims)) throw new InvalidToken('claims')
  checkTimes(claims, keys.now(), longestLife)
  return claims
}

function signedClaims(verify: () => unknown): unknown {
  try {
    return verify()
  } catch {
    // The message and properties of fast-jwt's errors may hold parts of the token.
    throw new InvalidToken('signature')
  }
}

function checkTimes(claims: unknown, now: number, longestLife: number): void {
  if (!hasTimes(claims)) throw new InvalidToken('claims')
  const { iat, exp, nbf = iat } = claims
  if (exp * 1000 <= now) throw new InvalidToken('expired')
  if (iat * 1000 > now + leeway || nbf * 1000 > now + leeway) throw new InvalidToken('claims')
  if (exp - iat > longestLife) throw new InvalidToken('claims')
}

function hasTimes(claims: unknown): claims is { iat: number; exp: number; nbf?: number } {
  return typeof claims === 'object' && claims !== null && 'iat' in claims && 'exp' in claims
}

/**
 * The `kid` of a token's header, which may demand nothing else of its reader (RFC 7515 §4.1; `crit` §4.1.11, `b64`
 * RFC 7797). Nothing is verified yet.
 * @throws {InvalidToken} too-long, malformed, critical-header, unknown-key
 */
export function kidOf(token: string): string {
  if (token.length > maxLength) throw new InvalidToken('too-long')
  const [head = '', ...rest] = token.split('.')
  if (rest.length !== 2 || !/^[\w-]+$/.test(head)) throw new InvalidToken('malformed')
  const header = parse(Buffer.from(head, 'base64url').toString())
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw new InvalidToken('malformed')
  if ('crit' in header || 'b64' in header) throw new InvalidToken('critical-header')
  const kid = 'kid' in header ? header.kid : undefined
  if (typeof kid !== 'string') throw new InvalidToken('unknown-key')
  return kid
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new InvalidToken('malformed')
  }
}
