import { Type } from 'typebox'
import { Problem } from './problem.ts'

/** A site's id and secret, as the caller sent them; nothing is checked yet. */
export interface Credentials {
  readonly id: string
  readonly secret: string
}

/** Characters of an Authorization header: ids and secrets of ours have not a tenth of it. */
const longest = 1_024

const challenge = { 'www-authenticate': 'Basic realm="auth-movies", charset="UTF-8"' }

/** 401 with the challenge that RFC 6749 §5.2 demands. */
export function unauthorized(type: 'secret-required' | 'wrong-credentials'): Problem {
  return new Problem(type, { headers: challenge })
}

/**
 * HTTP Basic with the site's id and secret, each form-encoded before they are joined (RFC 6749 §2.3.1). Both
 * hold only characters that encode to themselves, so a client that skips the encoding is understood as well.
 * An empty secret is no secret: clients without one send it by themselves. One blank or more stand before it (RFC 9110
 * §11.4).
 * @returns undefined where there are none
 * @throws {Problem} wrong-credentials where the header is Basic but cannot be read
 */
export function readBasic(authorization: string | undefined): Credentials | undefined {
  if (authorization === undefined || !/^basic\b/i.test(authorization)) return undefined
  // Nothing longer is ours, and no pattern is let loose on what a stranger may make as long as they like.
  const match =
    authorization.length > longest ? null : /^basic +([A-Za-z0-9+/_-]+={0,2})$/i.exec(authorization)
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

/** The members of a body in which every POST takes credentials. */
export const credentialParameters = {
  client_id: Type.Optional(Type.String({ maxLength: 64, description: 'In place of HTTP Basic' })),
  client_secret: Type.Optional(Type.String({ maxLength: 256, description: 'In place of HTTP Basic' })),
}

/**
 * Basic, or `client_id` and `client_secret` in the body (RFC 6749 §2.3.1: openid-client sends them so by itself). A
 * client may use one way only (§2.3), but many send their id in both: what says the same twice is no contradiction.
 * A secret without an id belongs to nobody and is not left unread.
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
