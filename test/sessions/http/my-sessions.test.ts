import t from 'tap'
import type { Answer } from '../../support/login-flow.ts'
import { readResponse } from '../../support/login-flow.ts'
import { startTestService } from '../../support/service.ts'
import {
  anotherSite,
  introspect,
  logInAt,
  me,
  pass,
  problemOf,
  refresh,
  sessionOf,
} from './session-requests.ts'

const service = await startTestService(t)
const other = await anotherSite(service, 'other')
const path = '/api/v1/me/sessions/'

async function remove(accessToken: string, id = ''): Promise<Answer> {
  const headers = { authorization: `Bearer ${accessToken}` }
  return readResponse(await fetch(service.url + path + id, { method: 'DELETE', headers }))
}

/** The ids of the sessions that a token sees, the current one marked. */
async function seen(accessToken: string): Promise<string[]> {
  const { json } = await me(service, accessToken, path)
  const list: unknown = json.sessions
  if (!Array.isArray(list)) throw new Error('no list of sessions')
  return list.map((one: { id: string; current: boolean }) => `${one.current ? '*' : ''}${one.id}`)
}

t.test("a user's sessions at this site are listed newest first, with the current one marked", async (t) => {
  const [phone, laptop] = [await logInAt(service), await logInAt(service)]
  await pass(service, phone, 3_600)
  await refresh(service, phone.refreshToken)
  const answer = await me(service, laptop.accessToken, path)
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('cache-control'), 'no-store')
  t.match(answer.json, {
    sessions: [
      { id: sessionOf(laptop), provider: 'yandex', current: true },
      { id: sessionOf(phone), provider: 'yandex', current: false },
    ],
  })
  t.same(await seen(phone.accessToken), [sessionOf(laptop), `*${sessionOf(phone)}`])
  const asText = JSON.stringify(answer.json)
  const { sessions }: { sessions: Record<string, string>[] } = JSON.parse(asText)
  const hours = (from: string | undefined, to: string | undefined) =>
    Math.round((Date.parse(to ?? '') - Date.parse(from ?? '')) / 3_600_000)
  t.equal(hours(sessions[1]?.created_at, sessions[1]?.last_used_at), 1, 'created, then used an hour later')
  t.equal(hours(sessions[1]?.last_used_at, sessions[1]?.expires_at), 720)
  t.equal(sessions[0]?.created_at, sessions[0]?.last_used_at)
})

t.test("one site's token neither sees nor ends a session of the same person at another site", async (t) => {
  const here = await logInAt(service)
  const there = await logInAt(service, other.url)
  t.notOk((await seen(here.accessToken)).some((id) => id.endsWith(sessionOf(there))))
  t.same(await seen(there.accessToken), [`*${sessionOf(there)}`])

  const refused = await remove(here.accessToken, sessionOf(there))
  t.match([refused.status, problemOf(refused)], [404, 'session-not-found'])
  t.equal((await remove(there.accessToken, sessionOf(here))).status, 404)
  t.equal((await remove(here.accessToken)).status, 204, 'and all means all of this site')
  t.equal((await me(service, there.accessToken)).status, 200)
  t.equal((await refresh(service, there.refreshToken)).status, 200)
  t.equal((await me(service, here.accessToken)).status, 401)
})

t.test('DELETE …/{id} ends only that session', async (t) => {
  const [phone, laptop] = [await logInAt(service), await logInAt(service)]
  const gone = await remove(laptop.accessToken, sessionOf(phone))
  t.match([gone.status, gone.text], [204, ''])
  t.equal((await me(service, phone.accessToken)).status, 401)
  t.equal(problemOf(await refresh(service, phone.refreshToken)), 'session-ended')
  t.same((await introspect(service, phone.refreshToken)).json, { active: false })
  t.same(await seen(laptop.accessToken), [`*${sessionOf(laptop)}`])
  for (const id of [sessionOf(phone), '01936f0e-7b3c-7c4e-9d52-0c3c5f1e2a11', 'junk', "'; DROP TABLE"]) {
    const answer = await remove(laptop.accessToken, encodeURIComponent(id))
    t.match([answer.status, problemOf(answer)], [404, 'session-not-found'], id)
  }
  t.equal((await remove(laptop.accessToken, `${sessionOf(laptop)}/`)).status, 204, 'its own, with a slash')
  const own = await remove(laptop.accessToken, sessionOf(laptop))
  t.match([own.status, problemOf(own)], [401, 'token-invalid'])
})

t.test('DELETE ends all of them, including the current one', async (t) => {
  const pairs = [await logInAt(service), await logInAt(service), await logInAt(service)]
  t.equal((await remove(pairs[0]?.accessToken ?? '')).status, 204)
  for (const pair of pairs) {
    t.equal((await me(service, pair.accessToken, path)).status, 401)
    t.equal(problemOf(await refresh(service, pair.refreshToken)), 'session-ended')
    t.equal((await remove(pair.accessToken)).status, 401)
  }
})

t.test('a request without a token or with a token of another kind is 401 with the challenge', async (t) => {
  const pair = await logInAt(service)
  for (const method of ['GET', 'DELETE'])
    for (const [headers, problem, challenge] of [
      [{}, 'token-missing', 'Bearer realm="auth-movies"'],
      [{ authorization: `Bearer ${pair.refreshToken}` }, 'token-invalid', 'error="invalid_token"'],
      [{ authorization: 'Bearer ' }, 'token-invalid', 'error="invalid_token"'],
    ] as const) {
      const answer = await readResponse(await fetch(service.url + path, { method, headers }))
      t.match([answer.status, problemOf(answer)], [401, problem], method)
      t.ok(answer.headers.get('www-authenticate')?.includes(challenge))
    }
  t.equal((await me(service, pair.accessToken)).status, 200)
})
