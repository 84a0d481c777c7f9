import { createRemoteJWKSet, jwtVerify } from 'jose'
import t from 'tap'
import { anotherSite, logInAt } from '../sessions/http/session-requests.ts'
import { startTestService } from '../support/service.ts'

// A resource server of a site: offline, by the keys that the service publishes (RFC 9068 §4).
for (const TOKEN_ALG of ['EdDSA', 'ES256'])
  t.test(`jose verifies access tokens of TOKEN_ALG=${TOKEN_ALG} by jwks.json`, async (t) => {
    const service = await startTestService(t, { env: { TOKEN_ALG }, reachable: true })
    const other = await anotherSite(service, 'other')
    const pair = await logInAt(service)
    const url = new URL(`${service.config.publicUrl}/.well-known/jwks.json`)
    const keys = createRemoteJWKSet(url)
    const expected = {
      issuer: service.config.publicUrl,
      audience: service.site.id,
      typ: 'at+jwt',
      algorithms: ['EdDSA', 'ES256'],
      requiredClaims: ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti'],
    }
    const { payload, protectedHeader } = await jwtVerify(pair.accessToken, keys, expected)
    t.match(protectedHeader, { alg: TOKEN_ALG, typ: 'at+jwt', kid: String })
    t.match(payload, { client_id: service.site.id, aud: [service.site.id, service.config.publicUrl] })
    t.equal(Number(payload.exp) - Number(payload.iat), 900)

    const refused = { code: /^ERR_/ }
    const foreign = await logInAt(service, other.url)
    await t.rejects(jwtVerify(foreign.accessToken, keys, expected), refused, "another site's token")
    await t.rejects(jwtVerify(pair.refreshToken, keys, expected), refused, 'a refresh token')
    await t.rejects(jwtVerify(`${pair.accessToken.slice(0, -4)}AAAA`, keys, expected), refused)
    const late = { ...expected, currentDate: new Date(Date.now() + 901_000) }
    await t.rejects(jwtVerify(pair.accessToken, keys, late), { code: 'ERR_JWT_EXPIRED' })

    const published = await fetch(url)
    t.equal(published.headers.get('cache-control'), 'public, max-age=300')
    t.match(published.headers.get('content-type'), /^application\/json/)
    const asText = await published.text()
    t.match(JSON.parse(asText), { keys: [{ alg: TOKEN_ALG, use: 'sig', kid: protectedHeader.kid }] })
    t.notMatch(asText, /"(d|k|p|q)":/, 'nothing private, nothing symmetric')
  })
