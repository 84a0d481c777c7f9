import { decodeJwt } from 'jose'
import t from 'tap'
import type { Encoding } from '../../support/login-flow.ts'
import { startTestService } from '../../support/service.ts'
import { introspect, logInAt, me, pairOf, pass, problemOf, refresh, rowOf } from './session-requests.ts'

const service = await startTestService(t)

for (const encoding of ['urlencoded', 'multipart', 'json'] satisfies Encoding[])
  for (const fields of [{}, { grant_type: 'refresh_token' }, { scope: 'openid', resource: 'https://x.test' }])
    t.test(`a refresh by ${encoding} with ${JSON.stringify(fields)} gives a new pair`, async (t) => {
      const pair = await logInAt(service)
      const answer = await refresh(service, pair.refreshToken, { encoding, fields })
      t.equal(answer.status, 200)
      t.equal(answer.headers.get('cache-control'), 'no-store')
      t.match(answer.headers.get('content-type'), /^application\/json/)
      t.strictSame(Object.keys(answer.json).toSorted(), [
        'access_token',
        'expires_in',
        'refresh_token',
        'token_type',
      ])
      t.match(answer.json, { token_type: 'Bearer', expires_in: 900 })
      const next = pairOf(answer)
      t.not(next.accessToken, pair.accessToken)
      t.match(decodeJwt(pair.refreshToken), { gen: 0 })
      t.match(decodeJwt(next.refreshToken), { gen: 1, sid: decodeJwt(pair.refreshToken).sid })
      t.equal((await me(service, next.accessToken)).status, 200)
      t.equal((await refresh(service, next.refreshToken)).status, 200)
    })

t.test('the previous token gets the same generation again within REFRESH_GRACE', async (t) => {
  const pair = await logInAt(service)
  const first = pairOf(await refresh(service, pair.refreshToken))
  await pass(service, pair, 8)
  const again = pairOf(await refresh(service, pair.refreshToken))
  const { gen, exp } = decodeJwt(again.refreshToken)
  t.equal(gen, 1)
  t.equal(exp, Number(decodeJwt(first.refreshToken).exp) - 8, 'a repetition does not lengthen the session')
  t.equal((await refresh(service, first.refreshToken)).status, 200, 'either of the two goes on')
  t.equal((await refresh(service, again.refreshToken)).status, 200)
})

t.test(
  'the previous token ends the session after REFRESH_GRACE, and none of its tokens works then',
  async (t) => {
    const pair = await logInAt(service)
    const next = pairOf(await refresh(service, pair.refreshToken))
    await pass(service, pair, 11)
    const reused = await refresh(service, pair.refreshToken)
    t.match(
      [reused.status, problemOf(reused), reused.json.error],
      [400, 'refresh-token-reused', 'invalid_grant'],
    )
    for (const token of [next.refreshToken, pair.refreshToken]) {
      const answer = await refresh(service, token)
      t.match([answer.status, problemOf(answer), answer.json.error], [400, 'session-ended', 'invalid_grant'])
    }
    for (const token of [next.accessToken, pair.accessToken]) {
      t.equal((await me(service, token)).status, 401)
      t.same((await introspect(service, token)).json, { active: false })
    }
  },
)

t.test('a token two generations old ends the session at once', async (t) => {
  const pair = await logInAt(service)
  const second = pairOf(await refresh(service, pair.refreshToken))
  const third = pairOf(await refresh(service, second.refreshToken))
  t.equal(problemOf(await refresh(service, pair.refreshToken)), 'refresh-token-reused')
  t.equal(problemOf(await refresh(service, third.refreshToken)), 'session-ended')
  t.ok(
    service.log.some(
      (line) => /superseded/.test(line) && line.includes(String(decodeJwt(third.accessToken).sid)),
    ),
  )
})

t.test(
  '50 parallel refreshes of one token leave one living generation and return 50 usable pairs',
  async (t) => {
    const pair = await logInAt(service)
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(service, pair.refreshToken)))
    t.equal(answers.filter(({ status }) => status === 200).length, 50)
    t.match(await rowOf(service, pair), { generation: 1, revokedAt: null })
    const pairs = answers.map(pairOf)
    const profiles = await Promise.all(pairs.map(({ accessToken }) => me(service, accessToken)))
    t.ok(profiles.every(({ status }) => status === 200))
    const next = await Promise.all(pairs.map(({ refreshToken }) => refresh(service, refreshToken)))
    t.ok(next.every(({ status }) => status === 200))
    t.match(await rowOf(service, pair), { generation: 2, revokedAt: null })
  },
)

t.test(
  'each refresh starts REFRESH_TOKEN_TTL anew, SESSION_MAX_AGE is absolute, and no token outlives its session',
  async (t) => {
    const pair = await logInAt(service)
    await pass(service, pair, 2_591_990)
    const next = pairOf(await refresh(service, pair.refreshToken))
    const row = await rowOf(service, pair)
    t.equal(Math.round((row.expiresAt.getTime() - row.rotatedAt.getTime()) / 1000), 2_592_000)
    t.equal(decodeJwt(next.refreshToken).exp, Math.ceil(row.expiresAt.getTime() / 1000))

    await service.database.prisma.session.update({
      where: { id: row.id },
      data: { endsAt: new Date(Date.now() + 60_000), expiresAt: new Date(Date.now() + 60_000) },
    })
    const last = await refresh(service, next.refreshToken)
    const { expires_in: life } = last.json
    t.ok(typeof life === 'number' && life > 50 && life <= 61, `expires_in ${String(life)}`)
    await pass(service, pair, 61)
    t.equal(problemOf(await refresh(service, pairOf(last).refreshToken)), 'session-ended')
    t.equal((await me(service, pairOf(last).accessToken)).status, 401)
  },
)

t.test(
  'after a restore from a backup the newer token ends the session, is counted apart, and the log says why',
  async (t) => {
    const pair = await logInAt(service)
    const backup = await rowOf(service, pair)
    const second = pairOf(await refresh(service, pair.refreshToken))
    const third = pairOf(await refresh(service, second.refreshToken))
    const { id, generation, rotatedAt, expiresAt } = backup
    await service.database.prisma.session.update({
      where: { id },
      data: { generation, rotatedAt, expiresAt },
    })
    const counted = async (outcome: string) => {
      const { values } = await service.metrics.refreshes.get()
      return values.find(({ labels }) => labels.outcome === outcome)?.value ?? 0
    }
    const [ahead, reused] = [await counted('ahead'), await counted('reused')]
    t.equal(problemOf(await refresh(service, third.refreshToken)), 'session-ended')
    t.equal(await counted('ahead'), ahead + 1)
    t.equal(await counted('reused'), reused, 'nobody is alerted to a theft')
    t.not((await rowOf(service, pair)).revokedAt, null)
    const line = service.log.find((one) => one.includes(id) && /restored from a backup/.test(one))
    t.ok(line, 'a line of this session names the cause')
    t.notOk(service.log.some((one) => one.includes(third.refreshToken)))
  },
)

t.test(
  'with REFRESH_GRACE=0 any second use of a token ends the session, and a chain of first uses continues',
  async (t) => {
    const strict = await startTestService(t, { env: { REFRESH_GRACE: '0' } })
    let pair = await logInAt(strict)
    for (let n = 0; n < 3; n++) pair = pairOf(await refresh(strict, pair.refreshToken))
    const next = pairOf(await refresh(strict, pair.refreshToken))
    t.equal(problemOf(await refresh(strict, pair.refreshToken)), 'refresh-token-reused')
    t.equal(problemOf(await refresh(strict, next.refreshToken)), 'session-ended')
  },
)
