import { Problem } from '../problems/problem.ts'

/**
 * The access token of `Authorization: Bearer` (RFC 6750 §2.1); never one in the query (RFC 9700 §4.3.2).
 * @throws {Problem} token-missing
 */
export function readBearer(authorization: string | undefined): string {
  const token = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization ?? '')?.[1]
  if (token !== undefined) return token
  if (/^bearer\b/i.test(authorization ?? '')) throw invalidToken()
  // RFC 6750 §3.1: without any credentials the challenge names no error.
  throw new Problem('token-missing', { headers: { 'www-authenticate': 'Bearer realm="auth-movies"' } })
}

/** 401 with the challenge of RFC 6750 §3. */
export function invalidToken(): Problem {
  return new Problem('token-invalid', {
    headers: { 'www-authenticate': 'Bearer realm="auth-movies", error="invalid_token"' },
  })
}
