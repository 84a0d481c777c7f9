import { Type } from 'typebox'
import type { KeyKind } from '../keys/material.ts'
import type { SigningKeys } from '../keys/ring.ts'
import { InvalidToken } from './invalid-token.ts'

/** Bytes of a token that is looked at at all; ours have less than one kilobyte. */
const longest = 8 * 1024

/** Milliseconds that `iat` and `nbf` may lie ahead: a database that took over may have another clock. */
const leeway = 60_000

/** Seconds since the epoch (RFC 7519 §2), up to the year 9999. */
export const NumericDate = Type.Integer({ minimum: 1, maximum: 253_402_300_799 })

/** What every token of ours has; RFC 7519 §4.1. */
export const timeClaims = { iat: NumericDate, exp: NumericDate, nbf: Type.Optional(NumericDate) }

/** Ids of ours, UUIDs in lower case. */
export const Uuid = Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' })

/** A kind of token, as its module describes it. */
export interface TokenKind<Claims> {
  readonly kind: KeyKind
  readonly claims: { Check(value: unknown): value is Claims }
  /** Seconds from `iat` to `exp` at most. */
  readonly longestLife: number
}

/**
 * The claims of a token that is ours, of this kind and good now. The key is an exact look-up by `kid` before
 * anything is verified; nothing in the header chooses an algorithm or an address (RFC 8725 §3.1, §3.10).
 * Expiry has no leeway, as one clock (the database's) both sets and judges it.
 * @throws {InvalidToken} whatever is wrong, and nothing else
 */
export function verifyToken<Claims>(
  keys: SigningKeys,
  token: string,
  { kind, claims: schema, longestLife }: TokenKind<Claims>,
): Claims {
  const key = keys.find(kind, kidOf(token))
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
    // Its message and properties may hold what the token says.
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

/** The header's `kid`, of a header that asks for nothing else (RFC 7515 §4.1; `crit` §4.1.11, `b64` RFC 7797). */
function kidOf(token: string): string {
  if (token.length > longest) throw new InvalidToken('too-long')
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
