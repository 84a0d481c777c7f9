import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import type { Answer, Login } from '../../src/login/login.ts'
import type { LoginStore } from '../../src/login/login-store.ts'
import { digest, newState } from '../../src/login/state.ts'

const login: Login = {
  provider: 'yandex',
  siteId: 'site_1',
  redirectUrl: 'https://client.example/oauth/return?lang=ru&from=a%20b',
  nonce: 'n-0S6_WzA2Mj',
  codeVerifier: 'v'.repeat(43),
  codeChallenge: 'c'.repeat(43),
  startedAt: 1_800_000_000_000,
  answerBy: 1_800_000_600_000,
}

const code = (value: string): Answer => ({
  kind: 'code',
  codeDigest: digest(value),
  kept: { device_id: 'устройство' },
  finishBy: 1_800_000_900_000,
})
const refusal: Answer = { kind: 'error', error: 'access_denied' }

const newToken = () => randomBytes(16).toString('base64url')

/** What every LoginStore must do; `store` gives a new or a shared one. */
export async function runLoginStoreConformance(test: Test, store: () => Promise<LoginStore>): Promise<void> {
  const started = async (ttl = 60) => {
    const logins = await store()
    const state = newState()
    await logins.start(state, login, ttl)
    return { logins, state }
  }

  await test.test('a login is found as it was started, by its state alone', async (t) => {
    const { logins, state } = await started()
    t.strictSame(await logins.find(state), { login, claimed: false })
    t.equal(await logins.find(newState()), undefined)
  })

  await test.test('optional members stay absent', async (t) => {
    const logins = await store()
    const state = newState()
    const { codeVerifier: _verifier, codeChallenge: _challenge, ...bare } = login
    await logins.start(state, bare, 60)
    t.strictSame((await logins.find(state))?.login, bare)
  })

  await test.test('a login is gone after its time', async (t) => {
    const { logins, state } = await started(1)
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    t.equal(await logins.find(state), undefined)
    t.equal(await logins.answer(state, code('a'), 60), 'gone')
    t.equal(await logins.claim(state, newToken()), undefined)
  })

  await test.test('the first code wins for ever, and comes back whole', async (t) => {
    const { logins, state } = await started()
    t.equal(await logins.answer(state, code('a'), 60), 'kept')
    t.equal(await logins.answer(state, code('b'), 60), 'conflict')
    t.equal(await logins.answer(state, code('a'), 60), 'kept', 'the same again')
    t.equal(await logins.answer(state, refusal, 60), 'conflict', 'a refusal never follows a code')
    t.same((await logins.find(state))?.answer, code('a'))
  })

  await test.test('a code may follow a refusal', async (t) => {
    const { logins, state } = await started()
    t.equal(await logins.answer(state, refusal, 60), 'kept')
    t.same((await logins.find(state))?.answer, refusal)
    t.equal(await logins.answer(state, refusal, 60), 'kept')
    t.equal(await logins.answer(state, code('a'), 60), 'kept')
    t.same((await logins.find(state))?.answer, code('a'))
  })

  await test.test('a kept code prolongs the record, a refusal does not', async (t) => {
    const answered = await started(1)
    const refused = await started(1)
    await answered.logins.answer(answered.state, code('a'), 60)
    await refused.logins.answer(refused.state, refusal, 60)
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    t.ok(await answered.logins.find(answered.state))
    t.equal(await refused.logins.find(refused.state), undefined)
  })

  await test.test('of fifty different codes at once one is kept', async (t) => {
    const { logins, state } = await started()
    const codes = Array.from({ length: 50 }, (_, index) => code(`code-${index}`))
    const outcomes = await Promise.all(codes.map((answer) => logins.answer(state, answer, 60)))
    t.equal(outcomes.filter((outcome) => outcome === 'kept').length, 1)
    t.same((await logins.find(state))?.answer, codes[outcomes.indexOf('kept')])
  })

  await test.test('of fifty claims at once one wins, and all see its time', async (t) => {
    const { logins, state } = await started()
    await logins.answer(state, code('a'), 60)
    const claims = await Promise.all(Array.from({ length: 50 }, () => logins.claim(state, newToken())))
    t.equal(claims.filter((claim) => claim?.won).length, 1)
    t.equal(new Set(claims.map((claim) => claim?.at.getTime())).size, 1)
    for (const claim of claims) t.ok(claim && claim.now >= claim.at)
  })

  await test.test('a claimed login takes no more answers, but is still found', async (t) => {
    const { logins, state } = await started()
    await logins.answer(state, code('a'), 60)
    await logins.claim(state, newToken())
    t.equal(await logins.answer(state, code('a'), 60), 'gone')
    t.match(await logins.find(state), { login, answer: code('a'), claimed: true })
  })

  await test.test('a released login can be claimed again, with its code', async (t) => {
    const { logins, state } = await started()
    await logins.answer(state, code('a'), 60)
    const token = newToken()
    await logins.claim(state, token)
    for (const attempt of ['once', 'again']) {
      await logins.release(state, token, 60)
      t.match(await logins.find(state), { claimed: false }, attempt)
    }
    t.equal(await logins.answer(state, code('a'), 60), 'kept')
    t.match(await logins.claim(state, newToken()), { won: true })
    t.match(await logins.claim(state, newToken()), { won: false })
  })

  await test.test('nobody releases the claim of another', async (t) => {
    const { logins, state } = await started()
    const winner = newToken()
    const lost = newToken()
    t.match(await logins.claim(state, winner), { won: true })
    t.match(await logins.claim(state, lost), { won: false })
    for (const token of [lost, newToken()]) await logins.release(state, token, 60)
    t.match(await logins.find(state), { claimed: true })
    await logins.release(state, winner, 60)
    t.match(await logins.find(state), { claimed: false })
  })

  await test.test('a claim whose finish failed says so', async (t) => {
    const { logins, state } = await started()
    const token = newToken()
    t.match(await logins.claim(state, token), { won: true, failed: false })
    await logins.fail(state, newToken())
    t.match(await logins.claim(state, newToken()), { won: false, failed: false }, 'not by another’s word')
    await logins.fail(state, token)
    t.match(await logins.claim(state, newToken()), { won: false, failed: true })
    await logins.fail(newState(), token)
  })

  await test.test('a claim that arrives after its release does not win', async (t) => {
    const { logins, state } = await started()
    await logins.answer(state, code('a'), 60)
    const late = newToken()
    await logins.release(state, late, 60)
    t.match(await logins.claim(state, late), { won: false })
    t.match(await logins.find(state), { claimed: false })
    t.equal(await logins.answer(state, code('a'), 60), 'kept')
    t.match(await logins.claim(state, newToken()), { won: true }, 'any other may')
  })

  await test.test('releasing another’s claim does not prolong the record', async (t) => {
    const { logins, state } = await started(1)
    await logins.release(state, newToken(), 60)
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    t.equal(await logins.find(state), undefined)
  })

  await test.test('releasing what is not there changes nothing', async (t) => {
    const logins = await store()
    const state = newState()
    await logins.release(state, newToken(), 60)
    t.equal(await logins.find(state), undefined)
    t.equal(await logins.claim(state, newToken()), undefined)
  })
}
