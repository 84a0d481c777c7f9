import { decodeJwt } from 'jose'
import t from 'tap'
import { basic } from '../../support/login-flow.ts'
import { publicUrl, startTestService } from '../../support/service.ts'
import {
  anotherSite,
  introspect,
  logInAt,
  me,
  pairOf,
  problemOf,
  refresh,
  revoke,
  rowOf,
  sessionOf,
} from './session-requests.ts'

const service = await startTestService(t)
const other = await anotherSite(service, 'other')
const strict = await anotherSite(service, 'strict', true)

t.test('introspection tells a site about its own living tokens', async (t) => {
  const pair = await logInAt(service)
  const { sub } = decodeJwt(pair.accessToken)
  const common = { active: true, client_id: service.site.id, sub, iss: publicUrl, sid: sessionOf(pair) }
  const access = await introspect(service, pair.accessToken)
  t.equal(access.status, 200)
  t.match(access.json, { ...common, token_type: 'Bearer', aud: [service.site.id, publicUrl] })
  t.match(access.json, { exp: decodeJwt(pair.accessToken).exp, iat: Number, jti: String })
  const refreshed = await introspect(service, pair.refreshToken)
  t.match(refreshed.json, { ...common, aud: [publicUrl] })
  t.notOk('token_type' in refreshed.json, 'RFC 7662 §2.2: of an access token')
  for (const token_type_hint of ['access_token', 'refresh_token', 'no-such-thing'])
    t.match(
      (await introspect(service, pair.accessToken, basic(service.site), { token_type_hint })).json,
      common,
    )
})

t.test("introspection needs the site's credentials, by Basic or in the body", async (t) => {
  const { accessToken } = await logInAt(service)
  const { id, secret } = service.site
  const refusals: readonly [Record<string, string>, Record<string, string>, string][] = [
    [{}, {}, 'secret-required'],
    [{}, { client_id: id }, 'secret-required'],
    [{}, { client_id: id, client_secret: '' }, 'secret-required'],
    [basic({ id, secret: '' }), {}, 'secret-required'],
    [{ authorization: `Bearer ${accessToken}` }, {}, 'secret-required'],
    [basic({ id, secret: 'wrong' }), {}, 'wrong-credentials'],
    [{}, { client_id: id, client_secret: 'wrong' }, 'wrong-credentials'],
    [basic({ id, secret: strict.secret }), {}, 'wrong-credentials'],
  ]
  for (const [headers, fields, problem] of refusals) {
    const answer = await introspect(service, accessToken, headers, fields)
    t.match([answer.status, problemOf(answer), answer.json.error], [401, problem, 'invalid_client'])
    t.match(answer.headers.get('www-authenticate'), /^Basic realm=/)
  }
  for (const [headers, fields] of [
    [basic({ id, secret }), {}],
    [{}, { client_id: id, client_secret: secret }],
    [basic({ id, secret: '' }), { client_id: id, client_secret: secret }],
  ] as const)
    t.match((await introspect(service, accessToken, headers, fields)).json, { active: true })
})

t.test(
  "another site's token, junk and a superseded generation are inactive, and no session ends",
  async (t) => {
    const pair = await logInAt(service)
    const inactive = async (token: string, site: { id: string; secret: string } = service.site) => {
      const answer = await introspect(service, token, basic(site))
      t.equal(answer.status, 200)
      t.strictSame(answer.json, { active: false })
    }
    for (const token of [pair.accessToken, pair.refreshToken]) {
      await inactive(token, other)
      await inactive(token, strict)
    }
    for (const token of ['junk', 'a.b.c', 'x'.repeat(11_000)]) await inactive(token)
    const next = pairOf(await refresh(service, pair.refreshToken))
    await inactive(pair.refreshToken)
    t.match((await introspect(service, next.refreshToken)).json, { active: true })
    t.match(
      (await introspect(service, pair.accessToken)).json,
      { active: true },
      'its access token has its time',
    )
    t.match(await rowOf(service, pair), { generation: 1, revokedAt: null })
  },
)

for (const kind of ['refreshToken', 'accessToken'] as const)
  t.test(`revocation by ${kind} ends the session, and may be repeated`, async (t) => {
    const pair = await logInAt(service)
    for (const token_type_hint of ['access_token', 'refresh_token', 'no-such-thing']) {
      const answer = await revoke(service, pair[kind], {}, { token_type_hint })
      t.equal(answer.status, 200)
      t.equal(answer.headers.get('cache-control'), 'no-store')
    }
    t.equal(problemOf(await refresh(service, pair.refreshToken)), 'session-ended')
    t.equal((await me(service, pair.accessToken)).status, 401)
    t.strictSame((await introspect(service, pair.accessToken)).json, { active: false })
  })

t.test(
  'revoking a superseded refresh token ends its session; an unknown token is 200 and changes nothing',
  async (t) => {
    const pair = await logInAt(service)
    const kept = await logInAt(service)
    const next = pairOf(await refresh(service, pair.refreshToken))
    t.equal((await revoke(service, pair.refreshToken)).status, 200)
    t.equal(problemOf(await refresh(service, next.refreshToken)), 'session-ended')
    for (const token of ['junk', 'a.b.c', `${kept.refreshToken}x`, 'x'.repeat(11_000)])
      t.equal((await revoke(service, token)).status, 200)
    t.match(await rowOf(service, kept), { generation: 0, revokedAt: null })
  },
)

t.test(
  "revoking with another site's credentials is 200 and changes nothing; wrong credentials are 401",
  async (t) => {
    const pair = await logInAt(service)
    const before = await rowOf(service, pair)
    for (const token of [pair.accessToken, pair.refreshToken])
      t.equal((await revoke(service, token, basic(other))).status, 200)
    const wrong = await revoke(service, pair.refreshToken, basic({ id: other.id, secret: 'wrong' }))
    t.match([wrong.status, problemOf(wrong)], [401, 'wrong-credentials'])
    t.same(await rowOf(service, pair), before)
    t.equal((await revoke(service, pair.refreshToken, basic(service.site))).status, 200)
    t.not((await rowOf(service, pair)).revokedAt, null)
  },
)

t.test('revoking without the secret that the site requires is 401, and the session lives', async (t) => {
  const pair = await logInAt(service, strict.url, strict)
  for (const token of [pair.accessToken, pair.refreshToken])
    for (const headers of [{}, basic({ id: strict.id, secret: '' })]) {
      const answer = await revoke(service, token, headers)
      t.match([answer.status, problemOf(answer)], [401, 'secret-required'])
      t.match(answer.headers.get('www-authenticate'), /^Basic realm=/)
    }
  t.match(await rowOf(service, pair), { revokedAt: null })
  const fields = { client_id: strict.id, client_secret: strict.secret }
  t.equal((await revoke(service, pair.refreshToken, {}, fields)).status, 200)
  t.not((await rowOf(service, pair)).revokedAt, null)
  t.equal((await revoke(service, 'junk')).status, 200, 'and junk is nobody’s')
})
