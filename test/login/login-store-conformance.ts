import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import type { AuthorizationResponse, Login } from '../../src/login/login.ts'
import { digest, newState } from '../../src/login/login.ts'
import type { LoginStore } from '../../src/login/login-store.ts'

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

const code = (value: string): AuthorizationResponse => ({
  kind: 'code',
  codeDigest: digest(value),
  kept: { device_id: 'устройство' },
  finishBy: 1_800_000_900_000,
})
const error: AuthorizationResponse = { kind: 'error', error: 'access_denied' }

const newToken = () => randomBytes(16).toString('base64url')

/**
 * The tests that every LoginStore must pass.
 * @param store gives a new store, or one that the tests share
 */
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

  await test.test('a login is no longer found after its ttl', async (t) => {
    const { logins, state } = await started(1)
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    t.equal(await logins.find(state), undefined)
    t.equal(await logins.recordResponse(state, code('a'), 60), 'gone')
    t.equal(await logins.claim(state, newToken()), undefined)
  })

  await test.test('the first code wins for ever, and is found as it was recorded', async (t) => {
    const { logins, state } = await started()
    t.equal(await logins.recordResponse(state, code('a'), 60), 'recorded')
    t.equal(await logins.recordResponse(state, code('b'), 60), 'conflict')
    t.equal(await logins.recordResponse(state, code('a'), 60), 'recorded', 'the same again')
    t.equal(
      await logins.recordResponse(state, error, 60),
      'conflict',
      'an error is never recorded after a code',
    )
    t.same((await logins.find(state))?.response, code('a'))
  })

  await test.test('a code may be recorded after an error', async (t) => {
    const { logins, state } = await started()
    t.equal(await logins.recordResponse(state, error, 60), 'recorded')
    t.same((await logins.find(state))?.response, error)
    t.equal(await logins.recordResponse(state, error, 60), 'recorded')
    t.equal(await logins.recordResponse(state, code('a'), 60), 'recorded')
    t.same((await logins.find(state))?.response, code('a'))
  })

  await test.test('a recorded code prolongs the record, an error does not', async (t) => {
    const withCode = await started(1)
    const withError = await started(1)
    await withCode.logins.recordResponse(withCode.state, code('a'), 60)
    await withError.logins.recordResponse(withError.state, error, 60)
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    t.ok(await withCode.logins.find(withCode.state))
    t.equal(await withError.logins.find(withError.state), undefined)
  })

  await test.test('of fifty different codes at the same time one is recorded', async (t) => {
    const { logins, state } = await started()
    const codes = Array.from({ length: 50 }, (_, index) => code(`code-${index}`))
    const outcomes = await Promise.all(codes.map((response) => logins.recordResponse(state, response, 60)))
    t.equal(outcomes.filter((outcome) => outcome === 'recorded').length, 1)
    t.same((await logins.find(state))?.response, codes[outcomes.indexOf('recorded')])
  })

  await test.test('of fifty claims at the same time one wins, and all are given its time', async (t) => {
    const { logins, state } = await started()
    await logins.recordResponse(state, code('a'), 60)
    const claims = await Promise.all(Array.from({ length: 50 }, () => logins.claim(state, newToken())))
    t.equal(claims.filter((claim) => claim?.won).length, 1)
    t.equal(new Set(claims.map((claim) => claim?.at.getTime())).size, 1)
    for (const claim of claims) t.ok(claim && claim.now >= claim.at)
  })

  await test.test('no response is recorded for a claimed login, but it is still found', async (t) => {
    const { logins, state } = await started()
    await logins.recordResponse(state, code('a'), 60)
    await logins.claim(state, newToken())
    t.equal(await logins.recordResponse(state, code('a'), 60), 'gone')
    t.match(await logins.find(state), { login, response: code('a'), claimed: true })
  })

  await test.test('a released login can be claimed again, with its code', async (t) => {
    const { logins, state } = await started()
    await logins.recordResponse(state, code('a'), 60)
    const token = newToken()
    await logins.claim(state, token)
    for (const attempt of ['once', 'again']) {
      await logins.release(state, token, 60)
      t.match(await logins.find(state), { claimed: false }, attempt)
    }
    t.equal(await logins.recordResponse(state, code('a'), 60), 'recorded')
    t.match(await logins.claim(state, newToken()), { won: true })
    t.match(await logins.claim(state, newToken()), { won: false })
  })

  await test.test('a claim is released only by its own token', async (t) => {
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

  await test.test('a claim whose finish failed is reported as failed', async (t) => {
    const { logins, state } = await started()
    const token = newToken()
    t.match(await logins.claim(state, token), { won: true, failed: false })
    await logins.fail(state, newToken())
    t.match(
      await logins.claim(state, newToken()),
      { won: false, failed: false },
      'the token of another claim changes nothing',
    )
    await logins.fail(state, token)
    t.match(await logins.claim(state, newToken()), { won: false, failed: true })
    await logins.fail(newState(), token)
  })

  await test.test('a claim that arrives after its release does not win', async (t) => {
    const { logins, state } = await started()
    await logins.recordResponse(state, code('a'), 60)
    const late = newToken()
    await logins.release(state, late, 60)
    t.match(await logins.claim(state, late), { won: false })
    t.match(await logins.find(state), { claimed: false })
    t.equal(await logins.recordResponse(state, code('a'), 60), 'recorded')
    t.match(await logins.claim(state, newToken()), { won: true }, 'any other claim may win')
  })

  await test.test('releasing the claim of another token does not prolong the record', async (t) => {
    const { logins, state } = await started(1)
    await logins.release(state, newToken(), 60)
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    t.equal(await logins.find(state), undefined)
  })

  await test.test('releasing a login that does not exist changes nothing', async (t) => {
    const logins = await store()
    const state = newState()
    await logins.release(state, newToken(), 60)
    t.equal(await logins.find(state), undefined)
    t.equal(await logins.claim(state, newToken()), undefined)
  })
}
