import { Type } from 'typebox'
import { Problem } from '../problems/problem.ts'

/** A site's id and secret as the caller sent them, not yet checked. */
export interface Credentials {
  readonly id: string
  readonly secret: string
}

/** Characters of an Authorization header: more than ten times what a site's id and secret need. */
const maxLength = 1_024

const challenge = { 'www-authenticate': 'Basic realm="auth-movies", charset="UTF-8"' }

/** 401 with the challenge that RFC 6749 §5.2 requires. */
export function unauthorized(type: 'secret-required' | 'wrong-credentials' | 'secret-not-accepted'): Problem {
  return new Problem(type, { headers: challenge })
}

/**
 * Reads a site's id and secret from HTTP Basic, each form-encoded before they are joined (RFC 6749 §2.3.1). Both consist
 * of characters that form encoding leaves unchanged, so that a client may skip it. An empty secret counts as none, because
 * some libraries send one for a client that has no secret.
 * One or more spaces stand before them (RFC 9110 §11.4).
 * @returns undefined where the header has no credentials
 * @throws {Problem} wrong-credentials where the header is Basic but cannot be read
 */
export function readBasic(authorization: string | undefined): Credentials | undefined {
  if (authorization === undefined || !/^basic\b/i.test(authorization)) return undefined
  // Bound the length first: the regular expression must not run on unbounded input (ReDoS).
  const match =
    authorization.length > maxLength ? null : /^basic +([A-Za-z0-9+/_-]+={0,2})$/i.exec(authorization)
  if (match === null) throw unauthorized('wrong-credentials')
  const [id, ...rest] = Buffer.from(match[1] ?? '', 'base64')
    .toString()
    .split(':')
  const secret = rest.join(':')
  if (secret === '') return undefined
  const decoded = { id: formDecoded(id ?? ''), secret: formDecoded(secret) }
  if (decoded.id === undefined || decoded.secret === undefined) throw unauthorized('wrong-credentials')
  return { id: decoded.id, secret: decoded.secret }
}

/** The members in which the body of every POST may have credentials. */
export const credentialParameters = {
  client_id: Type.Optional(Type.String({ maxLength: 64, description: 'In place of HTTP Basic' })),
  client_secret: Type.Optional(Type.String({ maxLength: 256, description: 'In place of HTTP Basic' })),
}

/**
 * Reads credentials from HTTP Basic, or from `client_id` and `client_secret` in the body (RFC 6749 §2.3.1), as
 * openid-client sends them by default. A client may use only one of them (§2.3), but many send their id in both, so equal
 * values are accepted. A secret without an id is kept, and so refused later as wrong credentials.
 * @throws {Problem} as readBasic; invalid-parameter where the two differ (§5.2: invalid_request)
 */
export function readCredentials(
  authorization: string | undefined,
  body: { readonly client_id?: string; readonly client_secret?: string },
): Credentials | undefined {
  const basic = readBasic(authorization)
  const { client_id: id = '', client_secret: secret = '' } = body
  if (basic === undefined) return secret === '' ? undefined : { id, secret }
  const differing =
    id !== '' && id !== basic.id
      ? 'client_id'
      : secret !== '' && secret !== basic.secret
        ? 'client_secret'
        : undefined
  if (differing !== undefined)
    throw new Problem('invalid-parameter', { values: { parameter: differing, rule: 'not-as-in-basic' } })
  return basic
}

function formDecoded(value: string): string | undefined {
  try {
    return decodeURIComponent(value.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

/**
 * Reads the access token from `Authorization: Bearer` (RFC 6750 §2.1), never from the query (RFC 9700 §4.3.2).
 * @throws {Problem} token-missing
 */
export function readBearer(authorization: string | undefined): string {
  const token = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization ?? '')?.[1]
  if (token !== undefined) return token
  if (/^bearer\b/i.test(authorization ?? '')) throw invalidToken()
  // A request without any credentials gets a challenge without an error (RFC 6750 §3.1).
  throw new Problem('token-missing', { headers: { 'www-authenticate': 'Bearer realm="auth-movies"' } })
}

/** 401 with the challenge of RFC 6750 §3. */
export function invalidToken(): Problem {
  return new Problem('token-invalid', {
    headers: { 'www-authenticate': 'Bearer realm="auth-movies", error="invalid_token"' },
  })
}
