import { decodeJwt } from 'jose'
import type { Answer, Encoding } from '../../support/login-flow.ts'
import { basic, finish, get, loginToFinish, post, text } from '../../support/login-flow.ts'
import type { TestService } from '../../support/service.ts'
import { redirectUrl, registerSite } from '../../support/service.ts'

/** The tokens that a site's backend stores per session. */
export interface Pair {
  readonly accessToken: string
  readonly refreshToken: string
}

/** A site and its secret. */
export interface SiteCredentials {
  readonly id: string
  readonly secret: string
}

/** Registers another site with a return URL of its own. */
export async function anotherSite(
  service: TestService,
  name: string,
  requireSecret = false,
): Promise<SiteCredentials & { readonly url: string }> {
  const url = `https://${name}.example/return`
  return { url, ...(await registerSite(service.database, url, requireSecret)) }
}

/** Logs the same person in at the site of this return URL; `site` authenticates it where that is required. */
export async function logInAt(
  service: TestService,
  url: string = redirectUrl,
  site?: SiteCredentials,
): Promise<Pair> {
  const headers = site === undefined ? {} : basic(site)
  const fields = { client_redirect_url: url }
  const answer = await finish(service, await loginToFinish(service, 'yandex', { fields, headers }), headers)
  return pairOf(answer)
}

/** The pair in a response; any other response fails the test and shows itself. */
export function pairOf(answer: Answer): Pair {
  return { accessToken: text(answer, 'access_token'), refreshToken: text(answer, 'refresh_token') }
}

/** POST …/refresh/ */
export function refresh(
  service: TestService,
  refreshToken: string,
  more: {
    readonly fields?: Readonly<Record<string, string>>
    readonly headers?: Readonly<Record<string, string>>
    readonly encoding?: Encoding
  } = {},
): Promise<Answer> {
  const { fields = {}, ...options } = more
  return post(service, '/api/v1/oauth/refresh/', { refresh_token: refreshToken, ...fields }, options)
}

/** POST …/introspect/ */
export function introspect(
  service: TestService,
  token: string,
  headers: Readonly<Record<string, string>> = basic(service.site),
  fields: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return post(service, '/api/v1/oauth/introspect/', { token, ...fields }, { headers })
}

/** POST …/revoke/ */
export function revoke(
  service: TestService,
  token: string,
  headers: Readonly<Record<string, string>> = {},
  fields: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return post(service, '/api/v1/oauth/revoke/', { token, ...fields }, { headers })
}

/** GET …/me/, or another path, by an access token. */
export function me(service: TestService, accessToken: string, path = '/api/v1/me/'): Promise<Answer> {
  return get(service, path, { authorization: `Bearer ${accessToken}` })
}

/** The last word of a problem's type: `refresh-token-invalid`. */
export function problemOf(answer: Answer): string {
  return typeof answer.json.type === 'string' ? answer.json.type.replace('urn:auth-movies:problem:', '') : ''
}

/** The session that an access token names. */
export function sessionOf({ accessToken }: Pair): string {
  return String(decodeJwt(accessToken).sid)
}

/** Lets seconds pass for one session by moving its times back. */
export async function pass(service: TestService, pair: Pair, seconds: number): Promise<void> {
  await service.database.pool.query(
    `UPDATE sessions SET created_at = created_at - d, rotated_at = rotated_at - d, expires_at = expires_at - d,
       ends_at = ends_at - d
     FROM (SELECT $2::float8 * interval '1 second' AS d) AS step WHERE id = $1`,
    [sessionOf(pair), seconds],
  )
}

/** The row of a session. */
export async function rowOf(service: TestService, pair: Pair) {
  return await service.database.prisma.session.findUniqueOrThrow({ where: { id: sessionOf(pair) } })
}
