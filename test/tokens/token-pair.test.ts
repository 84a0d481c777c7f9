import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import t from 'tap'
import { verifyRefreshToken } from '../../src/tokens/refresh-token.ts'
import { issueTokenPair } from '../../src/tokens/token-pair.ts'
import { settings, testKeys } from '../keys/test-keys.ts'
import { testDatabase } from '../support/database.ts'

const session = {
  sessionId: '0199c0de-0000-7000-8000-000000000002',
  userId: '0199c0de-0000-7000-8000-000000000001',
  siteId: 'site-1',
  generation: 4,
}

for (const tokenAlg of ['EdDSA', 'ES256'] as const)
  t.test(
    `an access token of ${tokenAlg} is verified by jose from the JWKS alone, and its refresh token by the service`,
    async (t) => {
      const keys = await testKeys(t, { database: await testDatabase(t), tokenAlg })
      const expiresAt = new Date(keys.now() + 86_400_000)
      const refreshKid = keys.active('refresh').kid
      const pair = issueTokenPair(keys, { ...session, expiresAt, refreshKid })
      t.match(pair, { token_type: 'Bearer', expires_in: 900 })

      const { payload, protectedHeader } = await jwtVerify(
        pair.access_token,
        createLocalJWKSet({ keys: [...keys.jwks().keys] }),
        { issuer: settings.publicUrl, audience: 'site-1', typ: 'at+jwt', algorithms: [tokenAlg] },
      )
      t.same(protectedHeader, { alg: tokenAlg, typ: 'at+jwt', kid: keys.active('access').kid })
      const { iat = 0, exp, jti, ...rest } = payload
      t.same(rest, {
        iss: settings.publicUrl,
        sub: session.userId,
        aud: ['site-1', settings.publicUrl],
        client_id: 'site-1',
        sid: session.sessionId,
      })
      t.equal(exp, iat + 900)
      t.type(jti, 'string')

      t.same(decodeProtectedHeader(pair.refresh_token), { alg: 'HS256', typ: 'rt+jwt', kid: refreshKid })
      t.match(decodeJwt(pair.refresh_token), {
        iss: settings.publicUrl,
        aud: settings.publicUrl,
        sid: session.sessionId,
        gen: 4,
        client_id: 'site-1',
        exp: Math.ceil(expiresAt.getTime() / 1000),
      })
      t.equal(verifyRefreshToken(keys, pair.refresh_token).gen, 4)
      t.not(issueTokenPair(keys, { ...session, expiresAt, refreshKid }).refresh_token, pair.refresh_token)
    },
  )

t.test('an access token does not outlive its session', async (t) => {
  const keys = await testKeys(t, { database: await testDatabase(t) })
  const refreshKid = keys.active('refresh').kid
  const pair = (milliseconds: number) =>
    issueTokenPair(keys, { ...session, refreshKid, expiresAt: new Date(keys.now() + milliseconds) })
  t.equal(pair(90_000).expires_in, 90)
  t.equal(pair(-5).expires_in, 1, 'never less than a second')
})

t.test('a generation whose key is gone is signed by the active key', async (t) => {
  const database = await testDatabase(t)
  const keys = await testKeys(t, { database })
  const expiresAt = new Date(keys.now() + 90_000)
  const token = issueTokenPair(keys, { ...session, refreshKid: 'gone', expiresAt }).refresh_token
  t.equal(decodeProtectedHeader(token).kid, keys.active('refresh').kid)
})
