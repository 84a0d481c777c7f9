import t from 'tap'
import { providers } from '../../plugins/index.ts'
import { limits } from '../../src/http/rate-limit.ts'
import { hashSecret } from '../../src/sites/site.ts'
import { rotateSecret, updateSite } from '../../src/sites/store.ts'
import { basic, get, post, start } from '../support/login-flow.ts'
import { redirectUrl, registerSite, startTestService } from '../support/service.ts'
import { rules } from './support.ts'

const paths = ['/api/v1/site/', '/api/v1/site/logins/'] as const
const service = await startTestService(t)

t.test('a site reads its own settings and limits', async (t) => {
  const { status, json, headers } = await get(service, '/api/v1/site/', basic(service.site))
  t.equal(status, 200)
  t.equal(headers.get('cache-control'), 'no-store')
  const kid = service.keys.jwks().keys[0]?.kid
  const { name, ...rest } = json
  t.match(name, /^site /)
  t.strictSame(rest, {
    id: service.site.id,
    disabled: false,
    redirect_urls: [redirectUrl],
    providers: providers.map(({ name }) => name),
    require_secret: false,
    post_logout_redirect_urls: [],
    native: false,
    id_token_alg: 'RS256',
    live_secrets: 1,
    limits: {
      factor: 1,
      without_secret: { start: 6_000, finish: 6_000, refresh: 6_000, revoke: 6_000 },
      with_secret: {
        start: 60_000,
        finish: 60_000,
        refresh: 60_000,
        revoke: 60_000,
        introspect: 60_000,
      },
      visitor: 60,
      session: 600,
      wrong_secret: 30,
      unknown_state: 600,
      failed_finish: 6_000,
      unknown_redirect_url: 600,
      invalid_token: 600,
      site: 120,
    },
    lifetimes: {
      login: 600,
      finish: 600,
      access_token: 900,
      refresh_token: 2_592_000,
      refresh_grace: 10,
      session: 15_552_000,
    },
    signing_keys: { current: kid, next: null },
  })
})

t.test('the limits of the site are shown multiplied by its factor', async (t) => {
  const site = await registerSite(service.database, 'https://large.example/return')
  await updateSite(service.database, site.id, { limitFactor: 10 }, rules)
  const { json } = await get(service, '/api/v1/site/', basic(site))
  t.match(json, {
    limits: {
      factor: 10,
      without_secret: { start: 60_000, refresh: 60_000 },
      with_secret: { finish: 600_000, introspect: 600_000 },
      visitor: 600,
      session: 600,
      wrong_secret: 30,
      site: 120,
    },
  })
})

t.test('the response holds neither a secret nor its digest', async (t) => {
  const { text } = await get(service, '/api/v1/site/', basic(service.site))
  const hash = hashSecret(service.site.secret)
  for (const secret of [service.site.secret, hash.toString('hex'), hash.toString('base64')])
    t.notOk(text.includes(secret))
})

t.test(
  'the lifetimes are those of the configuration; limits are null where they are switched off',
  async (t) => {
    const other = await startTestService(t, {
      database: service.database,
      doubles: service.doubles,
      site: service.site,
      env: { LOGIN_TTL: '61', ACCESS_TOKEN_TTL: '62', RATE_LIMIT: 'off' },
    })
    const { json } = await get(other, '/api/v1/site/', basic(service.site))
    t.match(json, { limits: null, lifetimes: { login: 61, access_token: 62 } })
  },
)

for (const path of paths) {
  t.test(`${path} needs the credentials of the site`, async (t) => {
    const wrong = [
      { name: 'no credentials', headers: {}, type: 'secret-required' },
      { name: 'no secret', headers: basic({ ...service.site, secret: '' }), type: 'secret-required' },
      { name: 'a wrong secret', headers: basic({ ...service.site, secret: 'x' }), type: 'wrong-credentials' },
      { name: 'an unknown site', headers: basic({ id: 'nobody', secret: 'x' }), type: 'wrong-credentials' },
      { name: 'an access token', headers: { authorization: 'Bearer x' }, type: 'secret-required' },
    ]
    for (const { name, headers, type } of wrong) {
      const answer = await get(service, path, headers)
      t.equal(answer.status, 401, name)
      t.equal(answer.json.type, `urn:auth-movies:problem:${type}`, name)
      t.match(answer.headers.get('www-authenticate'), /^Basic /, name)
    }
    t.equal((await get(service, path.replace(/\/$/, ''), basic(service.site))).status, 200, 'no slash')
    t.equal((await get(service, `${path}?utm_source=x&utm_source=y`, basic(service.site))).status, 200)
    const posted = await post(service, path, {}, { headers: basic(service.site) })
    t.equal(posted.status, 405)
    t.equal(posted.headers.get('allow')?.includes('GET'), true)
  })
}

t.test('a disabled site reads that it is disabled; both secrets of a rotation are accepted', async (t) => {
  const url = 'https://disabled.example/return'
  const site = await registerSite(service.database, url)
  const second = await rotateSecret(service.database, site.id)
  await updateSite(service.database, site.id, { disabled: true, requireSecret: true }, rules)
  await t.rejects(start(service, 'yandex', { client_redirect_url: url }, basic(site)), /site-disabled/)
  for (const credentials of [site, second])
    t.match((await get(service, '/api/v1/site/', basic(credentials))).json, {
      disabled: true,
      require_secret: true,
      live_secrets: 2,
    })
  const { json } = await get(service, '/api/v1/site/logins/', basic(site))
  t.match(json, { logins: [{ outcome: 'failed', problem: 'urn:auth-movies:problem:site-disabled' }] })
})

t.test('a site that asks too often gets rate-limited with Retry-After; its logins go on', async (t) => {
  const url = 'https://asking.example/return'
  const site = await registerSite(service.database, url)
  for (let asked = 0; asked < limits.siteQuestion; asked++) {
    const { status } = await get(service, paths[asked % 2] ?? paths[0], basic(site))
    if (status !== 200) t.fail(`refused after ${asked}`)
  }
  const answer = await get(service, '/api/v1/site/logins/', basic(site))
  t.equal(answer.status, 429)
  t.equal(answer.json.type, 'urn:auth-movies:problem:rate-limited')
  t.ok(Number(answer.headers.get('retry-after')) >= 1)
  await start(service, 'yandex', { client_redirect_url: url }, basic(site))
  t.equal(
    (await get(service, '/api/v1/site/', basic(service.site))).status,
    200,
    'another site is not limited',
  )
})
